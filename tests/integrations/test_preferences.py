"""What people want to hear: the most specific switch wins, what is critical asks none."""

from email.message import EmailMessage
from typing import Any

import pytest
from django.core import mail as outbox
from django.test import Client

from flows_app.models import NoticeKind, ReminderWish
from flows_app.services import notices
from flows_app.services.mailing import send_due_mail
from integrations_app.models import Delivery, Preference
from integrations_app.runtime.step_kinds import Email, InApp
from integrations_app.services import topics
from integrations_app.services.delivering import pool_of
from integrations_app.services.notification_workflows import Draft, create_workflow
from integrations_app.services.notifications import trigger
from integrations_app.services.preferences import (
    read_token,
    switch,
    unsubscribe,
    unsubscribe_token,
    wants,
)
from one_project.common.errors import InvalidInput, NotFound
from one_project.workflows.services.pools import set_parallelism
from tests.integrations.sample_providers import make_integration
from tests.people import World
from tests.workflows import by_hand


def turn(world: World, category: str, way: str, is_on: bool) -> None:
    switch(world.bob, world.organisation, category=category, channel_type=way, is_on=is_on)


def wanted(world: World, category: str, way: str) -> bool:
    return wants(world.bob.pk, world.organisation.pk, category, way)


def test_the_most_specific_switch_wins(world: World) -> None:
    assert wanted(world, "orders", "email")
    turn(world, "", "", False)
    assert not wanted(world, "orders", "email")
    turn(world, "", "email", True)
    assert (wanted(world, "orders", "email"), wanted(world, "orders", "sms")) == (True, False)
    turn(world, "orders", "", False)
    assert not wanted(world, "orders", "email")
    turn(world, "orders", "email", True)
    assert (wanted(world, "orders", "email"), wanted(world, "orders", "sms")) == (True, False)
    assert wants(world.bob.pk, world.organisation.pk, "orders", "sms", critical=True)
    # Nobody else's, and nowhere else.
    assert wants(world.stella.pk, world.organisation.pk, "orders", "sms")
    assert wants(world.bob.pk, world.elsewhere.pk, "orders", "sms")


def test_what_cannot_be_switched_is_refused(world: World) -> None:
    for category, way in (("orders", "pigeon"), ("a b", "email"), ("x" * 65, "email")):
        with pytest.raises(InvalidInput):
            turn(world, category, way, False)
    with pytest.raises(NotFound):
        switch(world.charlie, world.organisation, category="", channel_type="", is_on=False)


def test_a_notification_asks_the_switches_unless_it_is_critical(world: World) -> None:
    steps = [InApp(title="Hello"), Email(subject="A", body="B")]
    for key, critical in (("news", False), ("alarm", True)):
        draft = Draft(key=key, name=key, steps=steps, is_critical=critical)
        create_workflow(world.organisation, draft, by=world.adam)
    turn(world, "general", "in_app", False)
    topic = topics.create_topic(world.organisation, key="ops", name="Operations")
    topics.subscribe(topic, [world.bob])
    topics.mute(world.bob, world.organisation, "ops", ["email"])
    [news] = trigger(world.organisation, "news", to=topic)
    [alarm] = trigger(world.organisation, "alarm", to=topic)
    by_hand.drain()
    reasons = [one.reason for one in news.events.exclude(step="").order_by("created_at")]
    assert reasons == ["preference", "preference"]
    assert alarm.events.filter(step="in_app").get().reason == "delivered"


# --- By the link of a mail ------------------------------------------------------------------------


def test_the_link_of_a_mail_stops_its_kind_without_signing_in(world: World, client: Client) -> None:
    token = unsubscribe_token(world.bob.pk, world.organisation.pk, "orders")
    address = f"/notifications/unsubscribe/{token}/"
    strict = Client(enforce_csrf_checks=True)
    # Looking changes nothing: mail programs look at links by themselves.
    assert strict.get(address).status_code == 200
    assert wanted(world, "orders", "email")
    posted = strict.post(address, {"List-Unsubscribe": "One-Click"})
    assert posted.status_code == 200
    assert not wanted(world, "orders", "email")
    assert wanted(world, "orders", "in_app")
    strict.post(address, {"on": "1"})
    assert wanted(world, "orders", "email")


def test_a_link_we_did_not_make_is_nothing(world: World, client: Client) -> None:
    token = unsubscribe_token(world.bob.pk, world.organisation.pk, "orders")
    for broken in (token[:-2], "x", token.replace(":", "", 1)):
        assert client.post(f"/notifications/unsubscribe/{broken}/").status_code == 404
    assert Preference.objects.count() == 0
    stranger = unsubscribe_token(world.charlie.pk, world.organisation.pk, "orders")
    with pytest.raises(NotFound):
        unsubscribe(stranger)
    assert read_token(token).user == world.bob


# --- Letters about work ---------------------------------------------------------------------------


@pytest.fixture
def due(committed_world: World) -> World:
    """Bob is to be told by mail, now."""
    world = committed_world
    ReminderWish.objects.create(
        organisation=world.organisation, user=world.bob, quiet_from=0, quiet_to=0
    )
    return world


def mailed(world: World) -> list[EmailMessage]:
    notices.notify(
        world.organisation, [world.bob], kind=NoticeKind.MENTION, text="Due", url="/lessons/"
    )
    send_due_mail()
    by_hand.drain()
    found: Any = outbox.outbox
    return list(found)


def test_letters_go_through_the_organisations_own_mail(due: World) -> None:
    set_parallelism(pool_of(due.organisation.pk), 0)
    make_integration(due.organisation)
    assert mailed(due) == []
    delivery = Delivery.objects.get(source="letter")
    assert delivery.idempotency_key == f"letter:{delivery.source_id}"
    assert delivery.user == due.bob
    assert "/notifications/unsubscribe/" in delivery.content["data"]["list_unsubscribe"]


def test_without_one_they_go_the_operators_way_and_not_at_all_when_unwanted(due: World) -> None:
    assert len(mailed(due)) == 1
    turn(due, "lessons", "email", False)
    assert len(mailed(due)) == 1
    assert Delivery.objects.count() == 0
