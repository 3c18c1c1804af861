"""Who is reminded of what and when; each time once, whatever happens."""

import threading
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import connections

from flows_app.models import (
    LessonTarget,
    Notice,
    NoticeKind,
    Reminder,
    ReminderWish,
    StepState,
    Submission,
    SubmissionStatus,
)
from flows_app.runtime.actors import Actor
from flows_app.services import reminders
from flows_app.services.assigning import assign_lesson
from flows_app.services.reminders import send_due_reminders
from one_project.accounts.models import Membership, Role
from one_project.accounts.services.organisations import add_member
from tests.flows.samples import assign, complete, make_flow, move, step, steps
from tests.people import World, make_person

UTC, TOKYO = ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo")
DUE = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
FIRST = datetime(2026, 11, 1, 9, 5, tzinfo=UTC)


def day(number: int, hour: int = 9, zone: ZoneInfo = UTC) -> datetime:
    """In November 2026."""
    return datetime(2026, 11, 1, hour, 5, tzinfo=zone) + timedelta(days=number - 1)


def assigned(
    world: World, flow: Any, on: datetime = FIRST, due_at: datetime | None = DUE, **more: Any
) -> LessonTarget:
    target = assign(world, flow, due_at=due_at, **more)
    LessonTarget.objects.filter(pk=target.pk).update(assigned_at=on)
    target.refresh_from_db()
    return target


def reminded(world: World, now: datetime) -> list[tuple[str, str]]:
    """(to whom, what) of those sent now."""
    known = set(Notice.objects.values_list("pk", flat=True))
    send_due_reminders(now)
    new = Notice.objects.exclude(pk__in=known).filter(kind=NoticeKind.REMINDER)
    return sorted((one.user.display_name, one.text) for one in new.select_related("user"))


def test_each_reminder_comes_once_on_its_day(world: World) -> None:
    assigned(world, make_flow(world))
    said = {number: reminded(world, day(number)) for number in (12, 13, 14, 19, 20, 22, 23, 24)}
    assert {number: texts for number, texts in said.items() if texts} == {
        13: [("Bob", "“Onboarding” is due on 20 November")],
        19: [("Bob", "“Onboarding” is due tomorrow")],
        20: [("Bob", "“Onboarding” is due today")],
        23: [("Bob", "“Onboarding” was due on 20 November")],
    }
    assert reminded(world, day(40)) == []
    assert Reminder.objects.exclude(notice=None).count() == 4


def test_who_looks_late_sends_only_the_latest(world: World) -> None:
    assigned(world, make_flow(world))
    assert [text for _, text in reminded(world, day(19))] == ["“Onboarding” is due tomorrow"]
    assert reminded(world, day(19, 23)) == []


def test_being_assigned_was_reminder_enough(world: World) -> None:
    assigned(world, make_flow(world), on=day(19))
    assert reminded(world, day(19, 12)) == []
    assert [text for _, text in reminded(world, day(20))] == ["“Onboarding” is due today"]


def test_days_are_those_of_where_it_was_meant(world: World) -> None:
    # The 20th there; it begins at 15:00 UTC on the 19th.
    due = datetime(2026, 11, 20, 23, 0, tzinfo=TOKYO)
    assigned(world, make_flow(world), due_at=due, timezone="Asia/Tokyo")
    reminded(world, day(19, 14))
    assert reminded(world, day(19, 15)) == [("Bob", "“Onboarding” is due today")]


def test_another_date_is_reminded_of_again(world: World) -> None:
    target = assigned(world, make_flow(world))
    assert reminded(world, day(20))
    LessonTarget.objects.filter(pk=target.pk).update(due_at=DUE + timedelta(days=7))
    assert [text for _, text in reminded(world, day(20))] == ["“Onboarding” is due on 27 November"]
    LessonTarget.objects.filter(pk=target.pk).update(due_at=DUE)
    assert reminded(world, day(20)) == []


def test_only_whose_work_it_is_is_reminded(world: World) -> None:
    add_member(world.organisation, user=make_person("Dora"), role=Role.MEMBER)
    assigned(world, make_flow(world))
    assigned(world, make_flow(world, name="Elsewhere"), user=world.adam)
    assert reminded(world, day(20)) == [
        ("Adam", "“Elsewhere” is due today"),
        ("Bob", "“Onboarding” is due today"),
    ]


def test_what_is_over_or_not_wanted_is_not_reminded_of(world: World) -> None:
    done = assigned(world, make_flow(world, "Read", name="Done"))
    complete(done, "Read", by=world.bob)
    ended = assigned(world, make_flow(world, name="Ended"))
    LessonTarget.objects.filter(pk=ended.pk).update(ended_at=day(2), ended="withdrawn")
    stuck = assigned(world, make_flow(world, "Read", name="Stuck"))
    move(stuck, "Read", "Blocked", world.bob, reason="No key")
    # Optional steps are nobody's duty.
    half = assigned(world, make_flow(world, "Read", step("Extra", is_required=False), name="Half"))
    complete(half, "Read", by=world.bob)
    _hand_in(assigned(world, make_flow(world, step("Essay", needs_review=True), name="Seen")))
    ReminderWish.objects.create(organisation=world.organisation, user=world.adam, reminders=False)
    assigned(world, make_flow(world, name="Unwanted"), user=world.adam)
    assigned(world, make_flow(world, name="Left"), user=world.stella)
    Membership.objects.filter(user=world.stella).update(is_active=False)
    assert reminded(world, day(20)) == []


def _hand_in(target: LessonTarget) -> None:
    Submission.objects.create(
        organisation_id=target.organisation_id,
        target=target,
        step_key=steps(target)["Essay"].key,
        number=1,
        status=SubmissionStatus.AWAITING_REVIEW,
        user=target.user,
    )


def test_steps_have_dates_of_their_own(world: World) -> None:
    flow = make_flow(world, step("Read", due_days=9), step("Sign", due_days=19), "Last")
    target = assigned(world, flow, due_at=None)
    assert reminded(world, day(10)) == [("Bob", "“Read” of “Onboarding” is due today")]
    complete(target, "Read", by=world.bob)
    _set_due(target, "Last", day(15))
    assert reminded(world, day(14)) == [
        ("Bob", "“Last” of “Onboarding” is due tomorrow"),
        ("Bob", "“Sign” of “Onboarding” is due on 20 November"),
    ]
    # A date set for the person takes the place of the flow's.
    _set_due(target, "Sign", day(28))
    assert reminded(world, day(20)) == [
        ("Bob", "“Last” of “Onboarding” was due on 15 November"),
    ]


def _set_due(target: LessonTarget, name: str, due_at: datetime) -> None:
    key: UUID = steps(target)[name].key
    StepState.objects.update_or_create(
        target=target,
        step_key=key,
        defaults={"organisation_id": target.organisation_id, "due_at": due_at},
    )


def test_of_one_assigned_step_the_others_do_not_matter(world: World) -> None:
    flow = make_flow(world, step("Read", due_days=12), step("Sign", due_days=12))
    assigned(world, flow, due_at=None, step_name="Sign")
    assert reminded(world, day(12)) == [("Bob", "“Sign” of “Onboarding” is due tomorrow")]


def test_who_assigned_follows_up_once_for_all_of_an_assignment(world: World) -> None:

    add_member(world.organisation, user=make_person("Dora"), role=Role.MEMBER)
    made = assign_lesson(
        world.organisation, by=Actor(user=world.stella), flow=make_flow(world, "Read"),
        role=Role.MEMBER, follow_up_at=day(12, 15),
    )  # fmt: skip
    assert len(made.targets) == 2
    complete(made.targets[0], "Read", by=world.stella)
    assert reminded(world, day(11)) == []
    assert reminded(world, day(12)) == [
        ("Stella", "Follow up: of “Onboarding” 1 assignment is not complete yet")
    ]
    assert reminded(world, day(13)) == []


def test_a_crash_between_promise_and_notice_leaves_neither(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assigned(world, make_flow(world))

    def crash(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(reminders, "post", crash)
        with pytest.raises(SystemExit):
            send_due_reminders(day(20))
    assert Reminder.objects.count() == 0
    assert len(reminded(world, day(20))) == 1


def test_small_batches_go_on_until_all_are_reminded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminders, "BATCH", 2)
    flow = make_flow(world)
    for person in (world.alice, world.adam, world.bob, world.stella):
        assigned(world, flow, user=person)
    assert len(reminded(world, day(20))) == 4


def test_schedulers_at_the_same_time_remind_once(committed_world: World) -> None:
    world = committed_world
    flow = make_flow(world, step("Read", due_days=19), "Sign")
    for person in (world.alice, world.adam, world.bob):
        assigned(world, flow, user=person)
    start = threading.Barrier(6)

    def beat() -> None:
        start.wait()
        try:
            send_due_reminders(day(20))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=beat) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Reminder.objects.count() == Notice.objects.filter(kind="reminder").count() == 6
