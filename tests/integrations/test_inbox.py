"""The inbox: what is new, seen, read, put away and put off; and notices of lessons in it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from flows_app.models import Notice, NoticeKind
from flows_app.services import notices
from integrations_app.models import Notification
from integrations_app.services import inbox
from integrations_app.services.preferences import switch
from one_project.common.errors import InvalidInput, NotFound
from tests.people import World


def shown(world: World, *titles: str, **more: Any) -> list[Notification]:
    now = timezone.now()
    return [
        Notification.objects.create(
            organisation=world.organisation, user=world.bob, workflow="news", transaction_id=title,
            title=title, shown_at=now + timedelta(seconds=place - 60), **more,
        )
        for place, title in enumerate(titles)
    ]  # fmt: skip


def titles(world: World, view: str = "all") -> list[str]:
    return [one.title for one in inbox.inbox_of(world.bob, world.organisation, view)]


def test_what_is_read_counts_no_more_and_comes_back_as_unread(world: World) -> None:
    first, second = shown(world, "First", "Second")
    assert inbox.unread_count(world.bob, world.organisation) == 2
    assert inbox.mark_seen(world.bob, world.organisation, [first.pk, second.pk]) == 2
    assert inbox.unread_count(world.bob, world.organisation) == 2
    assert inbox.mark_read(world.bob, world.organisation, [first.pk]) == 1
    assert inbox.mark_read(world.bob, world.organisation, [first.pk]) == 0
    assert titles(world, "unread") == ["Second"]
    inbox.mark_unread(world.bob, world.organisation, [first.pk])
    assert inbox.mark_read(world.bob, world.organisation) == 2
    assert titles(world) == ["Second", "First"]


def test_what_is_archived_or_put_off_is_out_of_the_way(world: World) -> None:
    first, second = shown(world, "First", "Second")
    inbox.archive(world.bob, world.organisation, [first.pk])
    assert (titles(world), titles(world, "archived")) == (["Second"], ["First"])
    assert inbox.unread_count(world.bob, world.organisation) == 1
    inbox.archive(world.bob, world.organisation, [first.pk], back=True)
    inbox.mark_read(world.bob, world.organisation, [second.pk])
    until = inbox.snooze(world.bob, world.organisation, second, "hour")
    assert timedelta(minutes=59) < until - timezone.now() < timedelta(minutes=61)
    assert (titles(world), titles(world, "snoozed")) == (["First"], ["Second"])
    # An hour later it is back, at the top and as new.
    Notification.objects.filter(pk=second.pk).update(shown_at=timezone.now())
    assert titles(world, "unread") == ["Second", "First"]
    with pytest.raises(InvalidInput):
        inbox.snooze(world.bob, world.organisation, second, "some day")
    world.bob.timezone = "Asia/Tokyo"
    tomorrow = inbox.snooze(world.bob, world.organisation, second, "tomorrow")
    assert (tomorrow.hour, tomorrow.minute) == (23, 0)  # 8 there


def test_others_change_nothing_in_an_inbox(world: World) -> None:
    [row] = shown(world, "Mine")
    for other in (world.adam, world.charlie):
        inbox.mark_read(other, world.organisation, [row.pk])
        inbox.archive(other, world.organisation, [row.pk])
        with pytest.raises(NotFound):
            inbox.access_own(other, row.pk)
    row.refresh_from_db()
    assert (row.read_at, row.archived_at) == (None, None)
    world.bob.memberships.update(is_active=False)
    with pytest.raises(NotFound):
        inbox.access_own(world.bob, row.pk)


def test_pages_go_on_behind_the_last_one_shown(world: World) -> None:
    rows = shown(world, *"abcde")
    Notification.objects.update(shown_at=rows[0].shown_at)  # all at one moment
    everything = inbox.inbox_of(world.bob, world.organisation)
    first = list(everything[:2])
    rest = list(inbox.after(everything, inbox.cursor_of(first[-1])))
    assert [*first, *rest] == list(everything)
    assert len(rest) == 3
    for broken in ("", "x", "9" * 40 + "_", "1_2"):
        assert len(inbox.after(everything, broken)) == 5


def say(world: World, *people: Any) -> list[Notice]:
    told = people or (world.bob,)
    return notices.notify(
        world.organisation, told, kind=NoticeKind.MENTION, text="You are asked", url="/lessons/"
    )


def test_notices_of_lessons_are_in_the_same_inbox(world: World) -> None:
    one, two = say(world)[0], say(world)[0]
    assert {row.pk for row in inbox.inbox_of(world.bob, world.organisation)} == {one.pk, two.pk}
    # Reading either reads the other.
    notices.mark_read(world.bob, world.organisation, [one.pk])
    assert inbox.unread_count(world.bob, world.organisation) == 1
    inbox.mark_read(world.bob, world.organisation)
    two.refresh_from_db()
    assert (two.read_at is not None, two.mail_at) == (True, None)
    inbox.archive(world.bob, world.organisation, [two.pk])
    assert notices.list_notices(world.bob, world.organisation, 9)[0].pk in {one.pk, two.pk}


def test_who_wants_no_lessons_in_the_inbox_still_has_their_page(world: World) -> None:
    switch(world.bob, world.organisation, category="lessons", channel_type="in_app", is_on=False)
    say(world, world.bob, world.stella)
    assert titles(world) == []
    assert notices.count_unread(world.bob, world.organisation) == 1
    assert inbox.unread_count(world.stella, world.organisation) == 1


def test_the_bell_is_one_query(world: World) -> None:
    shown(world, "First")
    with CaptureQueriesContext(connection) as seen:
        assert inbox.unread_count(world.bob, world.organisation) == 1
    assert len(seen) == 1
