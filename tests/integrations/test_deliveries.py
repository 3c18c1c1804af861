"""A message is handed over once: attempts, retries, other ways, and what nobody can know."""

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from django.utils import timezone

from integrations_app.errors import (
    AuthFailed,
    BadTarget,
    KeyReused,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Transient,
)
from integrations_app.models import Connection, Delivery, Endpoint, Integration, Notification
from integrations_app.providers.base import Accepted, Content, Target
from integrations_app.services.attempts import _connection, begin
from integrations_app.services.deliveries import cancel, on_settled, queue_delivery, send_again
from integrations_app.services.delivering import attempted
from integrations_app.services.health import FAILURES
from integrations_app.services.outcomes import TRIES, Begun, finish
from integrations_app.services.settling import _followers
from integrations_app.services.sweeping import carry_the_forgotten
from integrations_app.types import EndpointType, Reason
from one_project.accounts.models import Membership
from one_project.common.database import in_thread
from one_project.common.errors import AccessDenied, Conflict
from one_project.common.ids import new_id
from one_project.workflows.models import WorkItem
from tests.integrations.sample_providers import KEY, make_integration
from tests.integrations.web_server import running_web_server
from tests.people import World
from tests.workflows import by_hand

SOMEBODY = Target(type=EndpointType.EMAIL, address="somebody@example.test")


@pytest.fixture
def mail(world: World) -> Integration:
    return make_integration(world.organisation)


def queued(world: World, integration: Integration | None, **changes: Any) -> Delivery:
    values: dict[str, Any] = {
        "content": Content(text="hello"),
        "channel_type": "email",
        "integration_id": integration.pk if integration else None,
        "target": SOMEBODY,
        "by": world.bob,
        "source": "test",
    }
    return queue_delivery(world.organisation.pk, **{**values, **changes})


def carrier(delivery: Delivery) -> str:
    return str(delivery.meta["work"])


def begun(delivery: Delivery) -> Begun:
    Delivery.objects.filter(pk=delivery.pk).update(next_attempt_at=timezone.now())
    found = begin(delivery.pk, carrier(delivery))
    assert isinstance(found, Begun)
    return found


def again(delivery: Delivery) -> Delivery:
    return Delivery.objects.get(pk=delivery.pk)


def test_it_is_a_row_and_work_that_holds_its_id_only(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    work = WorkItem.objects.get(pk=carrier(delivery))
    assert work.arguments == {"delivery_id": str(delivery.pk)}
    assert work.pool == f"send:{world.organisation.pk}"
    assert (delivery.status, delivery.to) == ("queued", "s…@example.test")


def test_what_is_accepted_has_the_id_of_the_provider(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    assert finish(begun(delivery), Accepted(message_id="m1")) is None
    found = again(delivery)
    assert (found.status, found.reason, found.provider_message_id) == ("accepted", "sent", "m1")
    assert found.attempts.get().status == "accepted"
    assert begin(delivery.pk, "other") is None


def test_what_may_work_later_is_tried_later_and_not_for_ever(
    world: World, mail: Integration
) -> None:
    delivery = queued(world, mail)
    waits = [finish(begun(delivery), Transient(http_status=503)) for _ in range(TRIES)]
    assert waits.pop() is None
    assert all(one < next_one for one, next_one in itertools.pairwise(waits))  # type: ignore[operator]
    found = again(delivery)
    assert (found.status, found.reason, found.attempts_made) == ("failed", "provider_down", TRIES)
    numbers = found.attempts.values_list("number", flat=True).order_by("number")
    assert list(numbers) == [1, 2, 3, 4, 5]


def test_who_asks_to_wait_is_given_the_time(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    assert finish(begun(delivery), RateLimited(120.0)) == 120.0
    assert again(delivery).reason == Reason.RATE_LIMITED
    assert isinstance(begin(delivery.pk, carrier(delivery)), float)


@pytest.mark.parametrize("error", [AuthFailed(), Permanent(code="sender_refused")])
def test_a_failure_of_the_way_takes_the_next_one(
    world: World, mail: Integration, error: Any
) -> None:
    spare = make_integration(world.organisation, name="spare")
    delivery = queued(world, mail, fallbacks=[spare])
    assert finish(begun(delivery), error) == 0.0
    second = begun(delivery)
    assert second.delivery.integration == spare
    finish(second, Accepted(message_id="m2"))
    found = again(delivery)
    assert (found.status, found.integration_id, found.attempts_made) == ("accepted", spare.pk, 2)


def test_five_failed_tries_take_the_next_way_with_five_of_its_own(
    world: World, mail: Integration
) -> None:
    spare = make_integration(world.organisation, name="spare")
    delivery = queued(world, mail, fallbacks=[spare])
    for _ in range(TRIES):
        finish(begun(delivery), Transient())
    assert again(delivery).integration == spare
    assert isinstance(finish(begun(delivery), Transient()), float)


def test_a_wrong_address_goes_no_other_way_and_is_not_used_again(
    world: World, mail: Integration
) -> None:
    spare = make_integration(world.organisation, name="spare")
    delivery = queued(world, mail, fallbacks=[spare])
    finish(begun(delivery), BadTarget())
    assert again(delivery).status == "failed"
    same = Target(type=EndpointType.EMAIL, address="Somebody@example.test")
    second = queued(world, mail, target=same)
    assert (second.status, second.reason) == ("skipped", "address_blocked")
    elsewhere = make_integration(world.elsewhere)
    other = queue_delivery(
        world.elsewhere.pk,
        content=Content(text="x"),
        channel_type="email",
        integration_id=elsewhere.pk,
        target=SOMEBODY,
        source="test",
    )
    assert other.status == "queued"


def test_a_paused_integration_sends_nothing(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    Integration.objects.update(status="inactive")
    assert begin(delivery.pk, carrier(delivery)) is None
    assert again(delivery).reason == Reason.NO_INTEGRATION


def test_the_integration_of_another_organisation_sends_nothing(world: World) -> None:
    delivery = queued(world, make_integration(world.elsewhere))
    assert begin(delivery.pk, carrier(delivery)) is None
    assert again(delivery).status == "failed"


def test_a_lost_worker_leaves_it_unknown_and_nobody_sends_it_again(
    world: World, mail: Integration
) -> None:
    delivery = queued(world, mail)
    lost = begun(delivery)
    assert begin(delivery.pk, carrier(delivery)) is None
    found = again(delivery)
    assert (found.status, found.reason) == ("unknown", "outcome_unknown")
    assert found.attempts.get().code == "worker_lost"
    # It was not lost after all: what it knows is worth more.
    finish(lost, Accepted(message_id="late"))
    assert (again(delivery).status, again(delivery).provider_message_id) == ("accepted", "late")


def test_with_a_key_of_the_provider_a_lost_attempt_is_repeated(world: World) -> None:
    keyed = make_integration(world.organisation, provider="sample_keyed")
    delivery = queued(world, keyed)
    lost = begun(delivery)
    second = begin(delivery.pk, carrier(delivery))
    assert isinstance(second, Begun)
    assert second.attempt.number == 2
    # The lost one has no say any more.
    assert finish(lost, Permanent()) is None
    assert again(delivery).status == "sending"
    finish(second, Accepted(message_id="m"))
    assert again(delivery).status == "accepted"
    waits = finish(begun(queued(world, keyed)), OutcomeUnknown())
    assert isinstance(waits, float)


def test_other_work_leaves_a_running_attempt_alone(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    begun(delivery)
    WorkItem.objects.filter(pk=carrier(delivery)).update(
        status="running", poke_at=timezone.now() + timedelta(seconds=60)
    )
    assert isinstance(begin(delivery.pk, "00000000-0000-0000-0000-000000000001"), float)
    assert again(delivery).status == "sending"


def test_an_outcome_nobody_knows_settles_it(world: World, mail: Integration) -> None:
    spare = make_integration(world.organisation, name="spare")
    delivery = queued(world, mail, fallbacks=[spare])
    assert finish(begun(delivery), OutcomeUnknown()) is None
    assert again(delivery).status == "unknown"


def test_the_same_key_is_the_same_message(world: World, mail: Integration) -> None:
    first = queued(world, mail, idempotency_key="order 1")
    assert queued(world, mail, idempotency_key="order 1") == first
    with pytest.raises(KeyReused):
        queued(world, mail, idempotency_key="order 1", content=Content(text="other"))
    assert Delivery.objects.count() == 1


def test_what_waits_can_be_canceled_and_what_is_sent_cannot(
    world: World, mail: Integration
) -> None:
    delivery = queued(world, mail)
    cancel(delivery, by=world.bob)
    assert begin(delivery.pk, carrier(delivery)) is None
    assert again(delivery).status == "canceled"
    other = queued(world, mail)
    begun(other)
    with pytest.raises(Conflict):
        cancel(again(other), by=world.bob)


def test_a_person_sends_an_unknown_one_again_once(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    with pytest.raises(Conflict):
        send_again(delivery, by=world.bob)
    finish(begun(delivery), OutcomeUnknown())
    made = send_again(again(delivery), by=world.bob)
    assert send_again(again(delivery), by=world.bob) == made
    assert made != delivery
    assert (made.status, made.source_id, made.address) == ("queued", delivery.pk, SOMEBODY.address)


def test_sent_again_it_begins_with_the_way_its_address_is_of(
    world: World, mail: Integration, settings: Any
) -> None:
    spare = make_integration(world.organisation, name="spare")
    gone = make_integration(world.organisation, name="gone")
    delivery = queued(world, mail, fallbacks=[spare, gone])
    finish(begun(delivery), Permanent())
    finish(begun(delivery), OutcomeUnknown())
    gone.delete()
    settings.ONE_LIMIT_EMAILS_PER_USER = "bucket 1/d"
    queued(world, mail, by=world.alice)
    with pytest.raises(Conflict, match="Again possible"):
        send_again(again(delivery), by=world.alice)
    made = send_again(again(delivery), by=world.adam)
    assert (made.integration_id, made.fallbacks) == (spare.pk, [str(mail.pk)])


def test_what_one_provider_may_have_sent_goes_no_other_way(world: World, mail: Integration) -> None:
    keyed = make_integration(world.organisation, provider="sample_keyed")
    refused, paused = (queued(world, keyed, fallbacks=[mail]) for _ in range(2))
    for one in (refused, paused):
        assert isinstance(finish(begun(one), OutcomeUnknown()), float)
    assert finish(begun(refused), Permanent()) is None
    assert again(refused).status == "unknown"
    Integration.objects.filter(pk=keyed.pk).update(status="inactive")
    Delivery.objects.update(next_attempt_at=timezone.now())
    assert begin(paused.pk, carrier(paused)) is None
    assert again(paused).status == "unknown"


def test_a_refused_account_of_one_person_does_not_stop_the_others(
    world: World, mail: Integration
) -> None:
    link = Connection.objects.create(
        organisation=world.organisation, integration=mail, user=world.bob, status="active"
    )
    for _ in range(FAILURES):
        finish(replace(begun(queued(world, mail)), connection=link), AuthFailed(code="revoked"))
    mail.refresh_from_db()
    link.refresh_from_db()
    assert (mail.status, mail.failures) == ("active", 0)
    assert link.last_error == AuthFailed.user_message
    finish(replace(begun(queued(world, mail)), connection=link), AuthFailed(code="invalid_client"))
    mail.refresh_from_db()
    assert mail.failures == 1


def test_nobody_sends_again_through_what_is_anothers_own(world: World) -> None:
    own = make_integration(world.organisation, user=world.bob)
    delivery = queued(world, own, user=world.stella)
    finish(begun(delivery), OutcomeUnknown())
    for person in (world.stella, world.adam):
        with pytest.raises(AccessDenied):
            send_again(again(delivery), by=person)
    assert send_again(again(delivery), by=world.bob).integration == own


def test_what_somebodys_own_server_refuses_blocks_nobody_else(world: World) -> None:
    own = make_integration(world.organisation, user=world.bob)
    for receiver, blocked in ((world.alice, 0), (None, 0), (world.bob, 1)):
        finish(begun(queued(world, own, user=receiver)), BadTarget())
        assert Endpoint.objects.filter(status="bounced").count() == blocked


def test_who_has_left_sends_nothing_by_their_own_account(world: World) -> None:
    slack = make_integration(world.organisation, provider="slack", channel_type="chat")
    place = Target(type=EndpointType.SLACK_CHANNEL, address="C0123456789")
    link = Connection.objects.create(
        organisation=world.organisation, integration=slack, user=world.bob, status="active"
    )
    delivery = queued(world, slack, channel_type="chat", target=place)
    assert _connection(delivery) == link
    Membership.objects.filter(user=world.bob).update(is_active=False)
    assert _connection(delivery) is None


def test_what_waits_for_an_address_that_refuses_meanwhile_is_not_sent(
    world: World, mail: Integration
) -> None:
    first, second = queued(world, mail), queued(world, mail)
    finish(begun(first), BadTarget())
    assert begin(second.pk, carrier(second)) is None
    assert (again(second).status, again(second).reason) == ("skipped", Reason.ADDRESS_BLOCKED)


def test_what_cannot_be_sent_says_why_at_once(world: World, mail: Integration) -> None:
    assert queued(world, None).reason == Reason.NO_INTEGRATION
    assert queued(world, mail, target=None).reason == Reason.NO_ADDRESS
    blocked = Endpoint.objects.create(
        organisation=world.organisation, type="email", address="x@example.test", status="bounced"
    )
    skipped = queued(world, mail, target=None, endpoint=blocked)
    assert skipped.reason == Reason.ADDRESS_BLOCKED
    assert skipped.settled_at


def test_limits_of_a_person_and_of_an_address(
    world: World, mail: Integration, settings: Any
) -> None:
    settings.ONE_LIMIT_EMAILS_PER_USER = "bucket 2/d"
    assert [queued(world, mail).status for _ in range(3)] == ["queued", "queued", "skipped"]
    refused = queued(world, mail)
    assert refused.reason == Reason.QUOTA
    assert "Again possible" in refused.error
    assert queued(world, mail, by=world.alice).status == "queued"
    settings.ONE_LIMIT_DELIVERIES_PER_RECIPIENT = "bucket 1/d"
    assert [queued(world, mail, by=None).status for _ in range(2)] == ["queued", "skipped"]


def test_followers_are_told_once_and_cannot_undo_the_end(world: World, mail: Integration) -> None:
    seen: list[str] = []

    @on_settled("follow")
    def failing(delivery: Delivery) -> None:
        seen.append(delivery.status)
        raise RuntimeError("no")

    try:
        delivery = queued(world, mail, source="follow")
        finish(begun(delivery), Accepted(message_id="m"))
        finish(begun(queued(world, mail, source="other")), Accepted(message_id="n"))
    finally:
        _followers.pop("follow")
    assert seen == ["accepted"]
    assert again(delivery).status == "accepted"


def test_the_way_of_a_notification_has_a_line_for_each_turn(
    world: World, mail: Integration
) -> None:
    notification = Notification.objects.create(
        organisation=world.organisation, user=world.bob, workflow="w", transaction_id="1"
    )
    delivery = queued(world, mail, notification=notification, step="mail")
    finish(begun(delivery), Transient())
    finish(begun(delivery), Accepted(message_id="m"))
    lines = notification.events.order_by("created_at").values_list("reason", "step", "delivery")
    assert list(lines) == [("retry", "mail", delivery.pk), ("sent", "mail", delivery.pk)]


def test_the_sweep_carries_what_was_forgotten(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    long_ago = timezone.now() - timedelta(hours=1)
    Delivery.objects.update(next_attempt_at=long_ago)
    assert carry_the_forgotten() == 0
    WorkItem.objects.all().delete()
    assert carry_the_forgotten() == 1
    assert carry_the_forgotten() == 0
    assert isinstance(begin(delivery.pk, again(delivery).meta["again"]), Begun)


def test_secrets_are_in_no_row_of_a_delivery(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    opened = begun(delivery)
    assert KEY not in repr(opened)
    assert opened.account
    finish(opened, Permanent(code=f"bad key {KEY}"))
    attempt = again(delivery).attempts.get()
    assert KEY not in f"{attempt.__dict__}{again(delivery).__dict__}"


async def test_it_travels_from_the_queue_to_the_provider(committed_world: World) -> None:
    answers = iter([503, 200])

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=next(answers), text="id-7")

    def go(url: str) -> Delivery:
        integration = make_integration(committed_world.organisation, settings={"url": url})
        delivery = queued(committed_world, integration)
        by_hand.drain()
        assert again(delivery).status == "queued"
        Delivery.objects.update(next_attempt_at=timezone.now())
        by_hand.pass_time(10)
        by_hand.drain()
        return again(delivery)

    async with running_web_server(answer) as server:
        delivery = await in_thread(go, server.url)
        assert len(server.requests) == 2
    assert (delivery.status, delivery.provider_message_id) == ("accepted", "id-7")


async def test_eight_at_once_send_each_message_once(committed_world: World) -> None:
    """All of them believe that everything is theirs to carry."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="taken")

    def make(url: str) -> list[Delivery]:
        integration = make_integration(committed_world.organisation, settings={"url": url})
        return [queued(committed_world, integration) for _ in range(12)]

    async def carry(rows: list[Delivery]) -> None:
        for row in rows:
            found = await in_thread(begin, row.pk, carrier(row))
            if isinstance(found, Begun):
                await attempted(found)

    async with running_web_server(answer) as server:
        rows = await in_thread(make, server.url)
        # A running piece of work for each, or whoever comes second takes the first for lost.
        await in_thread(WorkItem.objects.update, status="running", poke_at=timezone.now())
        others = [Delivery(pk=row.pk, meta={"work": str(new_id())}) for row in rows]
        await asyncio.gather(*(carry(rows if one == 0 else others[::-1]) for one in range(8)))
        assert len(server.requests) == 12
    states = await in_thread(lambda: set(Delivery.objects.values_list("status", flat=True)))
    assert states == {"accepted"}
