"""Who is told of what, when a mail goes by it, and that each mail goes once."""

from datetime import UTC, datetime
from email.message import EmailMessage as Raw
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from flows_app.models import Mailing, Notice, NoticeKind, ReminderWish
from flows_app.runtime.actors import Actor
from flows_app.services import mailing
from flows_app.services.assigning import assign_lesson
from flows_app.services.mailing import hand_over, register_channel, send_due_mail
from flows_app.services.notices import count_unread, list_notices, mark_read, notify
from flows_app.services.progress import reopen
from flows_app.services.wishes import mail_time, set_wishes
from one_project.accounts.models import Membership, Role, User
from one_project.accounts.services.organisations import add_member
from tests.flows.samples import assign, complete, make_flow, move
from tests.people import World
from tests.workflows.by_hand import call, drain, pass_time, take


def told(user: User) -> list[str]:
    return [one.text for one in Notice.objects.filter(user=user).order_by("created_at", "pk")]


def wish(user: User, **fields: Any) -> ReminderWish:
    return ReminderWish(user=user, **fields)


def say(world: World, *people: User, text: str = "Hello", **more: Any) -> list[Notice]:
    return notify(
        world.organisation, people, kind=NoticeKind.MENTION, text=text, url="/lessons/", **more
    )


# --- Who ------------------------------------------------------------------------------------------


def test_who_gets_work_is_told_and_who_gives_it_is_not(world: World) -> None:
    flow = make_flow(world)
    assign(world, flow)
    assign(world, flow, user=world.stella)
    assert told(world.bob) == ["New for you: “Onboarding”"]
    assert told(world.stella) == told(world.alice) == []


def test_everybody_of_a_queue_is_told_that_it_waits(world: World) -> None:
    assign_lesson(
        world.organisation, by=Actor(user=world.stella), flow=make_flow(world),
        role=Role.MEMBER, resolution="queue",
    )  # fmt: skip
    assert told(world.bob) == ["“Onboarding” waits for one of you to take it"]
    assert told(world.adam) == []


def test_who_assigned_is_told_of_what_is_blocked(world: World) -> None:
    target = assign(world, make_flow(world, "Read"))
    move(target, "Read", "Blocked", world.bob, reason="No key")
    assert told(world.stella) == ["Bob is blocked at “Read” of “Onboarding”: No key"]
    assert told(world.adam) == []
    assert "No key" not in "".join(told(world.bob))


def test_without_who_assigned_the_staff_are_told(world: World) -> None:
    target = assign(world, make_flow(world, "Read"))
    Membership.objects.filter(user=world.stella).update(is_active=False)
    move(target, "Read", "Blocked", world.bob, reason="No key")
    assert len(told(world.alice)) == len(told(world.adam)) == 1
    assert told(world.stella) == []


def test_who_did_a_step_is_told_that_it_was_opened_again(world: World) -> None:
    target = assign(world, make_flow(world, "Read"))
    complete(target, "Read", by=world.bob)
    reopen(target, "Read", by=Actor(user=world.stella), reason="New text")
    assert told(world.bob)[1:] == ["Stella has opened “Read” of “Onboarding” again: New text"]


def test_nobody_outside_the_organisation_is_ever_told(world: World) -> None:
    assert say(world, world.charlie, world.bob, world.bob, by=world.bob) == []
    assert Notice.objects.count() == 0


def test_a_hundred_people_cost_as_many_queries_as_two(world: World) -> None:
    flows = [make_flow(world, name=name) for name in ("One", "Two")]

    def cost(flow: Any) -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assign_lesson(
                world.organisation, by=Actor(user=world.stella), flow=flow, role=Role.MEMBER
            )
        return len(seen)

    few = cost(flows[0])
    people = User.objects.bulk_create(User(email=f"p{n}@example.test") for n in range(100))
    Membership.objects.bulk_create(
        Membership(organisation=world.organisation, user=one, role=Role.MEMBER) for one in people
    )
    assert cost(flows[1]) <= few + 2  # rows go in batches
    assert Notice.objects.filter(text="New for you: “Two”").count() == 101


def test_what_is_new_comes_first_until_it_is_read(world: World) -> None:
    say(world, world.bob, text="First")
    mark_read(world.bob, world.organisation)
    say(world, world.bob, text="Second")
    say(world, world.stella, text="Not his")
    assert count_unread(world.bob, world.organisation) == 1
    assert [one.text for one in list_notices(world.bob, world.organisation, 9)] == [
        "Second", "First",
    ]  # fmt: skip
    assert mark_read(world.bob, world.organisation) == 1
    assert count_unread(world.stella, world.organisation) == 1


# --- When -----------------------------------------------------------------------------------------


def at(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("now", "fields", "expected"),
    [
        ("2026-11-02 12:30", {}, "2026-11-02 12:30"),
        # Quiet from 20 to 7: what comes at night waits for the morning, theirs.
        ("2026-11-02 22:10", {}, "2026-11-03 07:00"),
        ("2026-11-02 03:10", {}, "2026-11-02 07:00"),
        # The night the clock is put back has 25 hours, the one it is put forward 23.
        ("2026-10-24 23:30", {}, "2026-10-25 07:00"),
        ("2026-03-28 23:30", {}, "2026-03-29 07:00"),
        # An hour that does not exist that night comes an hour later.
        ("2026-03-29 01:30", {"quiet_to": 2, "quiet_from": 0}, "2026-03-29 03:00"),
        ("2026-11-02 12:30", {"quiet_from": 9, "quiet_to": 9}, "2026-11-02 12:30"),
        ("2026-11-02 12:30", {"mailing": "digest"}, "2026-11-03 08:00"),
        ("2026-11-02 07:30", {"mailing": "digest"}, "2026-11-02 08:00"),
        ("2026-10-24 12:00", {"mailing": "digest"}, "2026-10-25 08:00"),
        # A digest in quiet hours waits, too.
        ("2026-11-02 12:30", {"mailing": "digest", "digest_hour": 5}, "2026-11-03 07:00"),
        ("2026-11-02 12:30", {"mailing": "never"}, None),
    ],
)
def test_a_mail_goes_when_the_person_wants_it(
    now: str, fields: dict[str, Any], expected: str | None
) -> None:
    person = User(email="a@example.test", timezone="Europe/Berlin")
    found = mail_time(wish(person, **fields), at(now).astimezone(UTC))
    assert found == (at(expected).astimezone(UTC) if expected else None)


def test_an_unknown_time_zone_counts_as_utc() -> None:
    person = User(email="a@example.test", timezone="Mars/Base")
    assert mail_time(wish(person), at("2026-11-02 21:00", "UTC")) == at("2026-11-03 07:00", "UTC")


def test_other_wishes_move_what_waits(world: World) -> None:
    now = at("2026-11-02 22:00", "UTC")
    say(world, world.bob)
    Notice.objects.update(mail_at=at("2026-11-03 07:00", "UTC"))
    fields: dict[str, Any] = {
        "reminders": True, "digest_hour": 9, "quiet_from": 0, "quiet_to": 0,
        "timezone": "Asia/Tokyo", "now": now,
    }  # fmt: skip
    set_wishes(world.bob, world.organisation, mailing=Mailing.DIGEST, **fields)
    assert Notice.objects.get().mail_at == at("2026-11-03 09:00", "Asia/Tokyo")
    set_wishes(world.bob, world.organisation, mailing=Mailing.NEVER, **fields)
    assert Notice.objects.get().mail_at is None


# --- Mail -----------------------------------------------------------------------------------------


@pytest.fixture
def by_day(committed_world: World) -> World:
    """Nobody has quiet hours; workers of the engine see what is there."""
    world = committed_world
    for person in (world.bob, world.stella):
        ReminderWish.objects.create(
            organisation=world.organisation, user=person, quiet_from=0, quiet_to=0
        )
    return world


def sent() -> list[Raw]:
    send_due_mail()
    drain()
    return mail.outbox  # type: ignore[return-value]


def test_a_letter_has_all_that_is_due_and_ways_to_the_page(by_day: World) -> None:
    world = by_day
    say(world, world.bob, text="First")
    say(world, world.bob, text="Second\r\nBcc: x@example.test")
    say(world, world.stella, text="Hers <alone>")
    letters = {letter.to[0]: letter for letter in sent()}  # type: ignore[attr-defined]
    his, hers = letters["Bob <bob@example.test>"], letters["Stella <stella@example.test>"]
    assert his.subject == "2 things for you in Acme"  # type: ignore[attr-defined]
    assert hers.subject == "Hers <alone>"  # type: ignore[attr-defined]
    body = his.body  # type: ignore[attr-defined]
    for notice in Notice.objects.filter(user=world.bob):
        assert f"{notice.text}\nhttp://127.0.0.1:8000/lessons/notices/{notice.pk}/" in body
    assert "http://127.0.0.1:8000/lessons/wishes/" in body
    assert "Hers" not in body
    assert sent() == mail.outbox and len(mail.outbox) == 2  # noqa: PT018  (nothing goes twice)


def test_what_was_read_or_is_not_wanted_is_not_mailed(by_day: World) -> None:
    world = by_day
    say(world, world.bob, world.stella)
    mark_read(world.bob, world.organisation)
    Membership.objects.filter(user=world.stella).update(is_active=False)
    assert sent() == []


def test_a_letter_whose_worker_dies_goes_again_under_the_same_id(by_day: World) -> None:
    world = by_day
    say(world, world.bob)
    assert (hand_over(timezone.now()), hand_over(timezone.now())) == (1, 0)
    [work] = take(mailing.POOL)
    for _ in range(2):  # sent, and sent again because nobody recorded it
        call(work)
    first, second = mail.outbox
    assert first.extra_headers["Message-ID"] == second.extra_headers["Message-ID"]
    assert len({first.body, second.body}) == 1


def test_a_mail_server_that_is_away_is_asked_again(
    by_day: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = by_day
    say(world, world.bob)
    answers: list[Exception] = [SMTPServerDisconnected("away")]
    real = mailing.EmailMessage.send

    def send(message: Any) -> int:
        if answers:
            raise answers.pop()
        return real(message)

    monkeypatch.setattr(mailing.EmailMessage, "send", send)
    assert sent() == []
    pass_time(3600)
    drain()
    assert len(mail.outbox) == 1
    # An address that does not exist is not tried again, and counts as not mailed.
    say(world, world.stella)
    answers.append(SMTPRecipientsRefused({"stella@example.test": (550, b"unknown")}))
    sent()
    assert len(mail.outbox) == 1
    assert Notice.objects.get(user=world.stella).mailed_at is None


def test_a_channel_that_takes_a_letter_spares_the_mail(
    by_day: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = by_day
    monkeypatch.setattr(mailing, "_channels", {})
    taken = []

    @register_channel
    def phone(letter: mailing.Letter) -> bool:
        taken.append(letter.subject)
        return letter.user_id == world.bob.pk

    say(world, world.bob, world.stella, text="Ring")
    assert [letter.to for letter in sent()] == [["Stella <stella@example.test>"]]  # type: ignore[attr-defined]
    assert taken == ["Ring", "Ring"]


def test_a_person_of_two_organisations_gets_a_letter_from_each(by_day: World) -> None:
    world = by_day
    add_member(world.elsewhere, user=world.bob, role=Role.MEMBER)
    say(world, world.bob, text="Here")
    notify(world.elsewhere, [world.bob], kind=NoticeKind.MENTION, text="There", url="/lessons/")
    Notice.objects.update(mail_at=timezone.now())
    assert sorted(letter.subject for letter in sent()) == ["Here", "There"]  # type: ignore[attr-defined]
