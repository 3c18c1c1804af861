"""What providers tell later: signed, counted once, and only forwards."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations_app.models import Delivery, Endpoint, InboundEvent, Integration
from integrations_app.providers.base import Accepted, Content, Target
from integrations_app.services.attempts import begin
from integrations_app.services.deliveries import queue_delivery
from integrations_app.services.outcomes import Begun, finish
from integrations_app.services.status_events import forget_events
from integrations_app.types import EndpointType
from tests.integrations.sample_providers import make_integration, sign
from tests.people import World


@pytest.fixture
def mail(world: World) -> Integration:
    return make_integration(world.organisation)


def begun(world: World, mail: Integration) -> Begun:
    delivery = queue_delivery(
        world.organisation.pk,
        content=Content(text="hello"),
        channel_type="email",
        integration_id=mail.pk,
        target=Target(type=EndpointType.EMAIL, address="somebody@example.test"),
        user=world.bob,
        source="test",
    )
    found = begin(delivery.pk, "work")
    assert isinstance(found, Begun)
    return found


@pytest.fixture
def sent(world: World, mail: Integration) -> Delivery:
    attempt = begun(world, mail)
    finish(attempt, Accepted(message_id="m1"))
    return attempt.delivery


def tell(mail: Integration, *events: dict[str, str], signature: str = "") -> Any:
    body = json.dumps(events).encode()
    return Client(enforce_csrf_checks=True).post(
        reverse("hooks:provider", args=[mail.pk]),
        body,
        content_type="application/json",
        headers={"x-sign": signature or sign(body)},
    )


def event(number: str, status: str, reason: str, message: str = "m1") -> dict[str, str]:
    return {"id": number, "message": message, "status": status, "reason": reason}


def status(delivery: Delivery) -> str:
    return Delivery.objects.get(pk=delivery.pk).status


def test_what_came_before_a_late_answer_counts(world: World, mail: Integration) -> None:
    lost = begun(world, mail)
    assert begin(lost.delivery.pk, "work") is None
    tell(mail, event("1", "delivered", "delivered"))
    assert status(lost.delivery) == "unknown"
    finish(lost, Accepted(message_id="m1"))
    assert status(lost.delivery) == "delivered"


def test_statuses_move_forwards_in_any_order(mail: Integration, sent: Delivery) -> None:
    assert tell(mail, event("1", "delivered", "delivered")).json() == {"events": 1}
    assert status(sent) == "delivered"
    tell(mail, event("2", "accepted", "sent"))
    assert status(sent) == "delivered"
    tell(mail, event("3", "bounced", "bounced"))
    assert status(sent) == "bounced"
    assert InboundEvent.objects.filter(delivery=sent).count() == 3


def test_an_event_counts_once(mail: Integration, sent: Delivery) -> None:
    told = event("1", "delivered", "delivered")
    assert tell(mail, told, told).json() == {"events": 1}
    assert tell(mail, told).json() == {"events": 0}


def test_a_wrong_signature_changes_nothing(mail: Integration, sent: Delivery) -> None:
    assert tell(mail, event("1", "bounced", "bounced"), signature="0" * 64).status_code == 403
    assert status(sent) == "accepted"
    assert not InboundEvent.objects.exists()


def test_a_bounced_address_gets_nothing_more(
    world: World, mail: Integration, sent: Delivery
) -> None:
    tell(mail, event("1", "bounced", "bounced"))
    endpoint = Endpoint.objects.get()
    assert (endpoint.user, endpoint.status) == (world.bob, "bounced")
    tell(mail, {"id": "2", "message": "m1", "status": "", "reason": "unsubscribed"})
    endpoint.refresh_from_db()
    assert endpoint.status == "unsubscribed"


def test_what_is_told_before_we_know_the_message_is_applied_later(
    world: World, mail: Integration
) -> None:
    attempt = begun(world, mail)
    tell(mail, event("1", "delivered", "delivered", "m9"))
    assert InboundEvent.objects.get().outcome == "No such message."
    finish(attempt, Accepted(message_id="m9"))
    assert status(attempt.delivery) == "delivered"
    assert InboundEvent.objects.get().delivery == attempt.delivery


def test_an_integration_tells_only_of_its_own_messages(
    world: World, mail: Integration, sent: Delivery
) -> None:
    other = make_integration(world.elsewhere)
    assert tell(other, event("1", "bounced", "bounced")).status_code == 200
    assert status(sent) == "accepted"


def test_what_cannot_be_read_is_refused(mail: Integration, settings: Any) -> None:
    address = reverse("hooks:provider", args=[mail.pk])
    assert Client().get(address).status_code == 405
    big = b"[" + b" " * 1_000_001 + b"]"
    answer = Client().post(address, big, content_type="application/json")
    assert answer.status_code == 413


def test_old_events_are_forgotten(mail: Integration, sent: Delivery) -> None:
    tell(mail, event("1", "delivered", "delivered"), event("2", "", "opened"))
    InboundEvent.objects.filter(external_id="1").update(
        created_at=timezone.now() - timedelta(days=31)
    )
    assert forget_events() == 1
    assert InboundEvent.objects.get().external_id == "2"
