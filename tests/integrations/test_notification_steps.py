"""The run of a notification: its steps over time, and the way it tells of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations_app.errors import InvalidSettings
from integrations_app.models import (
    Channel,
    ChannelRoute,
    Delivery,
    DigestEntry,
    Endpoint,
    Integration,
    Notification,
    NotificationEvent,
    NotificationWorkflow,
)
from integrations_app.runtime.notification_steps import next_moment, parse_steps
from integrations_app.runtime.step_kinds import (
    READ,
    Chat,
    Delay,
    Digest,
    Email,
    InApp,
    Sms,
    Throttle,
    Timed,
)
from integrations_app.runtime.step_requests import HttpRequest
from integrations_app.runtime.step_words import in_words
from integrations_app.runtime.templates import as_html, render
from integrations_app.services.delivering import pool_of
from integrations_app.services.fallbacks import next_way
from integrations_app.services.inbox import mark_read
from integrations_app.services.notification_workflows import Draft, create_workflow
from integrations_app.services.notifications import cancel, trigger
from integrations_app.services.settling import settle
from integrations_app.types import DeliveryStatus, Reason
from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.pools import set_parallelism
from tests.integrations.sample_providers import make_integration
from tests.people import World
from tests.workflows import by_hand

HOUR = 3_600
E_MAIL_THEN_SMS_THEN_SLACK = [
    InApp(title="{{ payload.what }}", url="/lessons/"),
    Email(subject="{{ payload.what }}", body="Hello {{ subscriber.name }}"),
    Delay(seconds=HOUR),
    Sms(text="{{ payload.what }}", skip=READ),
    Delay(seconds=HOUR),
    Chat(text="{{ payload.what }}", skip=READ),
]


def define(world: World, *steps: Any, key: str = "news", **more: Any) -> NotificationWorkflow:
    # What is handed to providers waits there.
    set_parallelism(pool_of(world.organisation.pk), 0)
    draft = Draft(key=key, name="News", steps=list(steps), **more)
    return create_workflow(world.organisation, draft, by=world.adam)


def tell(world: World, payload: Any = None, *, key: str = "news", **more: Any) -> Notification:
    """Trigger it for Bob, and have all done that can be done now."""
    [row] = trigger(world.organisation, key, to=world.bob, payload=payload or {}, **more)
    by_hand.drain()
    return row


def pass_time(seconds: float) -> None:
    by_hand.pass_time(seconds)
    entries = DigestEntry.objects.all()
    entries.update(created_at=F("created_at") - timedelta(seconds=seconds))
    by_hand.drain()


def way(row: Notification) -> list[tuple[str, str]]:
    """Step and reason of each line about a step, in order."""
    lines = row.events.exclude(step="").order_by("created_at", "pk")
    return [(one.step, one.reason) for one in lines]


def sent(row: Notification) -> list[str]:
    found = Delivery.objects.filter(notification=row).order_by("created_at", "pk")
    return [one.step for one in found]


def phone(world: World) -> Integration:
    Endpoint.objects.create(
        organisation=world.organisation, user=world.bob, type="phone", address="+4915112345678",
        status="active",
    )  # fmt: skip
    return make_integration(world.organisation, provider="sample_sms", channel_type="sms")


@pytest.fixture
def mail(world: World) -> Integration:
    return make_integration(world.organisation)


# --- The story ------------------------------------------------------------------------------------


def test_e_mail_then_sms_if_unread_after_an_hour_then_chat(world: World, mail: Integration) -> None:
    phone(world)
    define(world, *E_MAIL_THEN_SMS_THEN_SLACK)
    row = tell(world, {"what": "Fire drill"})
    assert sent(row) == ["email"]
    pass_time(HOUR / 2)
    assert sent(row) == ["email"]
    pass_time(HOUR)
    assert sent(row) == ["email", "sms"]
    pass_time(HOUR)
    assert [name for name, _ in way(row)] == [
        "in_app", "email", "delay", "sms", "delay-2", "chat",
    ]  # fmt: skip
    # Nobody has set up a chat.
    assert way(row)[-1] == ("chat", "no_integration")
    row.refresh_from_db()
    assert row.ended_at is not None
    assert (row.title, row.url) == ("Fire drill", "/lessons/")
    first = Delivery.objects.get(notification=row, step="email")
    assert first.content["text"].startswith(f"Hello {world.bob.display_name}")
    assert f"/notifications/{row.pk}/" in first.content["url"]
    assert first.content["data"]["list_unsubscribe"] in first.content["text"]


def test_who_has_read_it_gets_no_sms(world: World, mail: Integration) -> None:
    phone(world)
    define(world, *E_MAIL_THEN_SMS_THEN_SLACK)
    row = tell(world, {"what": "Fire drill"})
    mark_read(world.bob, world.organisation, [row.pk])
    pass_time(HOUR)
    pass_time(HOUR)
    assert sent(row) == ["email"]
    assert dict(way(row))["sms"] == dict(way(row))["chat"] == Reason.CONDITION


# --- Whatever the steps ---------------------------------------------------------------------------

ANY_STEP = st.one_of(
    st.builds(InApp, title=st.sampled_from(["Hello", "{{ payload.name }}", "{{ payload.no }}"])),
    st.builds(
        Email,
        subject=st.just("Hello"),
        body=st.just("{{ payload.name }}"),
        stop_on_fail=st.booleans(),
        skip=st.sampled_from([{}, READ]),
    ),
    st.builds(Sms, text=st.just("Hello"), stop_on_fail=st.booleans()),
    st.builds(Delay, seconds=st.integers(1, 10**6)),
    st.just(Delay(path="later")),
    st.builds(Digest, window=st.just(60), key=st.sampled_from(["", "name"])),
    st.just(Digest(strategy="backoff", window=60, look_back=600)),
    st.just(Digest(strategy="timed", at=Timed(hour=8, weekdays=(0,)))),
    st.builds(Throttle, threshold=st.integers(1, 2), window=st.just(600)),
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(ANY_STEP, min_size=1, max_size=6), people=st.integers(1, 2))
def test_each_notification_ends_and_its_way_tells_every_step_once(
    world: World, steps: list[Any], people: int
) -> None:
    NotificationWorkflow.objects.all().delete()
    Notification.objects.all().delete()
    WorkflowRun.objects.all().delete()
    if not Integration.objects.filter(organisation=world.organisation).exists():
        make_integration(world.organisation)
    names = [one.id for one in parse_steps(steps)]
    define(world, *steps)
    rows = [tell(world, {"name": "N"}) for _ in range(people)]
    for _ in range(len(steps) + 1):
        for delivery in Delivery.objects.filter(settled_at=None):
            settle(delivery, DeliveryStatus.FAILED, Reason.PROVIDER_DOWN)
        pass_time(8 * 86_400)
    for row in rows:
        row.refresh_from_db()
        assert row.ended_at is not None
        # What became of a delivery is told by the delivery, beside the line of its step.
        own = row.events.exclude(step="").exclude(reason=Reason.PROVIDER_DOWN)
        assert sorted(own.values_list("step", flat=True)) == sorted(names)


# --- One by one -----------------------------------------------------------------------------------


def test_a_step_that_asks_how_a_delivery_ended_waits_for_it(
    world: World, mail: Integration
) -> None:
    phone(world)
    was_sent = {"==": [{"var": "steps.mail.status"}, "sent"]}
    define(world, Email(id="mail", subject="A", body="B"), Sms(text="C", skip=was_sent))
    good, bad = tell(world), tell(world)
    assert sent(good) == sent(bad) == ["mail"]
    settle(Delivery.objects.get(notification=good), DeliveryStatus.ACCEPTED, Reason.SENT)
    settle(Delivery.objects.get(notification=bad), DeliveryStatus.FAILED, Reason.PROVIDER_DOWN)
    by_hand.drain()
    assert sent(good) == ["mail"]
    assert sent(bad) == ["mail", "sms"]


def test_where_the_person_has_no_address_the_place_of_the_next_rule_is_told(world: World) -> None:
    house = world.organisation
    channel = Channel.objects.create(
        organisation=house, key="alarm", name="Alarm", channel_type="sms"
    )
    ways = [
        make_integration(house, name=name, provider="sample_sms", channel_type="sms")
        for name in ("people", "desk")
    ]
    desk = Endpoint.objects.create(
        organisation=house, integration=ways[1], type="phone", address="+491511", status="active"
    )
    for place, (way_there, endpoint) in enumerate(zip(ways, (None, desk), strict=True)):
        ChannelRoute.objects.create(
            organisation=house, channel=channel, integration=way_there, endpoint=endpoint,
            position=place,
        )  # fmt: skip
    define(world, Sms(text="Hello", channel="alarm"))
    delivery = Delivery.objects.get(notification=tell(world))
    assert (delivery.integration, delivery.endpoint) == (ways[1], desk)


def test_an_address_that_cannot_be_read_fails_its_step_and_no_more(
    world: World, mail: Integration
) -> None:
    sms = phone(world)
    Endpoint.objects.update(secret="not sealed by us")
    define(world, Sms(text="Hello"), Email(subject="A", body="B"))
    row = tell(world)
    assert way(row) == [("sms", "step_failed"), ("email", "triggered")]
    delivery = Delivery.objects.get(notification=row)
    delivery.fallbacks = [str(sms.pk)]
    assert next_way(delivery) is None


def test_a_step_that_must_not_fail_ends_it(world: World) -> None:
    define(world, Email(subject="A", body="B", stop_on_fail=True), InApp(title="C"))
    row = tell(world)
    assert way(row) == [("email", "no_integration"), ("in_app", "step_failed")]


def test_a_digest_tells_all_that_came_in_its_window_at_once(world: World) -> None:
    lines = Digest(window=HOUR, line="{{ payload.who }}", key="thread")
    told = "{{ steps.digest.count }} new"
    define(world, lines, InApp(title=told, body="{{ steps.digest.text }}"))
    first = tell(world, {"who": "One", "thread": "a"})
    second = tell(world, {"who": "Two", "thread": "a"})
    other = tell(world, {"who": "Three", "thread": "b"})
    pass_time(HOUR)
    first.refresh_from_db()
    assert (first.title, first.body) == ("2 new", "- One\n- Two")
    other.refresh_from_db()
    assert other.title == "1 new"
    assert way(second) == [("digest", "digested"), ("in_app", "digested")]
    # The next one begins a new digest.
    third = tell(world, {"who": "Four", "thread": "a"})
    pass_time(HOUR)
    third.refresh_from_db()
    assert third.body == "- Four"


def test_who_joined_a_digest_is_told_when_its_first_is_canceled(world: World) -> None:
    define(world, Digest(window=HOUR), InApp(title="{{ steps.digest.count }} new"))
    first = tell(world, transaction_id="order 1")
    second, third = tell(world), tell(world)
    assert cancel(world.organisation, "order 1") == 1
    by_hand.drain()
    fourth = tell(world)
    pass_time(HOUR)
    second.refresh_from_db()
    assert (second.title, second.ended_at is not None) == ("3 new", True)
    # And the digest is over: the next one begins another.
    last = tell(world)
    pass_time(HOUR)
    last.refresh_from_db()
    assert last.title == "1 new"
    shown = set(Notification.objects.in_inbox().values_list("pk", flat=True))
    assert shown == {second.pk, last.pk}
    assert not {first.pk, third.pk, fourth.pk} & shown


def test_a_digest_that_backs_off_tells_the_first_at_once(world: World) -> None:
    define(world, Digest(strategy="backoff", window=60, look_back=HOUR), InApp(title="Hello"))
    rows = [tell(world) for _ in range(3)]
    shown = Notification.objects.in_inbox()
    assert [row.pk for row in shown] == [rows[0].pk]
    pass_time(61)
    assert shown.all().count() == 2


def test_a_throttle_lets_so_many_through(world: World) -> None:
    define(world, Throttle(threshold=2, window=HOUR, key="kind"), InApp(title="Hello"))
    rows = [tell(world, {"kind": "a"}) for _ in range(3)]
    assert way(rows[1])[-1] == ("in_app", "delivered")
    assert way(rows[2]) == [("throttle", "throttled"), ("in_app", "throttled")]
    assert way(tell(world, {"kind": "b"}))[-1] == ("in_app", "delivered")
    pass_time(HOUR)
    assert way(tell(world, {"kind": "a"}))[-1] == ("in_app", "delivered")


def test_what_is_canceled_goes_no_further(world: World, mail: Integration) -> None:
    define(world, Delay(seconds=HOUR), InApp(title="Hello"))
    row = tell(world, transaction_id="order 1")
    assert cancel(world.organisation, "order 1", by=world.adam) == 1
    pass_time(2 * HOUR)
    row.refresh_from_db()
    assert row.shown_at is None
    assert row.ended_at is not None
    last = NotificationEvent.objects.filter(notification=row).latest("created_at")
    assert last.text == f"Canceled by {world.adam.display_name}."
    assert cancel(world.organisation, "order 1") == 0


def test_who_has_left_is_told_nothing_more(world: World) -> None:
    define(world, Delay(seconds=HOUR), InApp(title="Hello"))
    row = tell(world)
    world.bob.memberships.update(is_active=False)
    pass_time(HOUR)
    row.refresh_from_db()
    assert (row.shown_at, row.ended_at is not None) == (None, True)


def test_delays_follow_the_payload_and_the_clock_of_the_person(world: World) -> None:
    define(world, Delay(path="later"), InApp(title="Hello"))
    row = tell(world, {"later": 7200})
    pass_time(HOUR)
    assert row.events.filter(step="in_app").count() == 0
    pass_time(HOUR)
    assert way(row)[-1] == ("in_app", "delivered")
    after = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)  # a Friday
    eight = next_moment(Timed(hour=8), "Europe/Berlin", after)
    assert eight == datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
    monday = next_moment(Timed(hour=8, weekdays=(0,)), "UTC", after)
    assert monday == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


# --- What is written ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ({"kind": "pigeon"}, "steps.0.kind"),
        ({"kind": "email", "subject": "{{ user.password }}", "body": "x"}, "steps.0.subject"),
        ({"kind": "sms", "text": "x", "skip": {"eval": "1"}}, "steps.0.skip"),
        ({"kind": "in_app", "title": "x", "url": "https://evil.test/"}, "steps.0.url"),
        ({"kind": "digest", "window": -1}, "steps.0.window"),
        ({"kind": "http_request", "url": "https://{{ payload.host }}/"}, "steps.0.url"),
        ({"kind": "http_request", "url": "https://a.test/", "timeout": 99}, "steps.0.timeout"),
        (
            {"kind": "http_request", "url": "https://a.test/", "headers": {"Cookie": "x"}},
            "steps.0.headers",
        ),
        ({"kind": "email", "subject": "x", "body": "y", "channel": "nope"}, "steps.0.channel"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(world: World, step: Any, path: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        define(world, step)
    assert path in caught.value.problems


def test_texts_are_filled_with_facts_and_nothing_else() -> None:
    facts = {"payload": {"name": "<b>", "items": [{"n": 1}], "ok": True}}
    assert render("{{ payload.name }}", facts, escape=as_html) == "&lt;b&gt;"
    assert render("{{payload.items.0.n}} {{ payload.ok }}", facts) == "1 yes"
    missing: list[str] = []
    assert render("[{{ payload.__class__ }}]", facts, missing=missing) == "[]"
    assert missing == ["payload.__class__"]
    # What is filled in is not looked at again.
    assert render("{{ payload.x }}", {"payload": {"x": "{{ payload.y }}", "y": "no"}}) == (
        "{{ payload.y }}"
    )


def test_steps_are_said_in_words() -> None:
    said = [in_words(one) for one in parse_steps([Delay(seconds=HOUR), Sms(text="A", skip=READ)])]
    assert said == ["Wait 1 hour.", "Send the SMS “A”, unless notification.read is yes."]


def test_a_request_may_not_hold_what_others_must_not_see() -> None:
    with pytest.raises(ValueError, match="secret"):
        HttpRequest(url="https://a.test/", headers={"Authorization": "canary-step"})
