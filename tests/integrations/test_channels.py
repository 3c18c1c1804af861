"""Channels: named ways, in order and with conditions."""

from typing import Any

import pytest

from integrations_app.errors import IntegrationNotFound, InvalidSettings
from integrations_app.models import Channel, ChannelRoute, Integration
from integrations_app.runtime.condition_words import in_words
from integrations_app.services import channels as service
from one_project.accounts.models import Organisation, Team, TeamMember
from one_project.common.errors import AccessDenied, NotFound
from tests.agents.browsing import client_of, text_of
from tests.people import World

pytestmark = pytest.mark.django_db

BILLING = {"==": [{"var": "category"}, "billing"]}


def made(organisation: Organisation, name: str = "Post", **more: Any) -> Integration:
    given = {"provider": "smtp", "channel_type": "email", "status": "active", **more}
    return Integration.objects.create(organisation=organisation, name=name, **given)


@pytest.fixture
def alerts(world: World) -> Channel:
    return service.create_channel(
        world.organisation, by=world.adam, key="alerts", name="Alerts", channel_type="email"
    )


def ways(channel: Channel) -> list[str]:
    return [one.integration.name for one in ChannelRoute.objects.filter(channel=channel)]


def test_channels_of_all_are_the_admins_and_of_a_team_its_members(world: World) -> None:
    team = Team.objects.create(organisation=world.organisation, name="Support")
    TeamMember.objects.create(team=team, user=world.bob)
    given: dict[str, Any] = {"name": "Alerts", "channel_type": "email"}
    with pytest.raises(AccessDenied):
        service.create_channel(world.organisation, by=world.bob, key="a", **given)
    own = service.create_channel(world.organisation, by=world.bob, key="a", team=team, **given)
    assert service.access_channel_to_edit(world.bob, world.organisation, own.pk) == own
    for person in (world.stella, world.charlie):
        with pytest.raises(NotFound):
            service.access_channel_to_edit(person, world.organisation, own.pk)
    with pytest.raises(InvalidSettings, match="already"):
        service.create_channel(world.organisation, by=world.adam, key="a", **given)


def test_ways_are_tried_in_their_order_which_can_be_changed(world: World, alerts: Channel) -> None:
    rows = [made(world.organisation, name) for name in ("First", "Second", "Third")]
    for row in rows:
        service.add_route(alerts, by=world.adam, integration_id=row.pk)
    last = ChannelRoute.objects.get(integration=rows[2])
    service.move_route(alerts, by=world.adam, route_id=last.pk, up=True)
    service.move_route(alerts, by=world.adam, route_id=last.pk, up=True)
    service.move_route(alerts, by=world.adam, route_id=last.pk, up=True)
    assert ways(alerts) == ["Third", "First", "Second"]
    service.remove_route(alerts, by=world.adam, route_id=last.pk)
    assert ways(alerts) == ["First", "Second"]


def test_what_cannot_carry_a_channel_is_refused(world: World, alerts: Channel) -> None:
    team = Team.objects.create(organisation=world.organisation, name="Support")
    TeamMember.objects.create(team=team, user=world.adam)
    for row in (
        made(world.organisation, channel_type="sms"),
        made(world.organisation, user=world.adam),
        made(world.organisation, team=team),
    ):
        with pytest.raises(InvalidSettings):
            service.add_route(alerts, by=world.adam, integration_id=row.pk)
    with pytest.raises(IntegrationNotFound):
        service.add_route(alerts, by=world.adam, integration_id=made(world.elsewhere).pk)
    house = made(world.organisation)
    for condition in ({"run": "rm"}, [1], {"==": [1]}, {"var": ["x"] * 500}):
        with pytest.raises(InvalidSettings):
            service.add_route(alerts, by=world.adam, integration_id=house.pk, condition=condition)
    service.add_route(alerts, by=world.adam, integration_id=house.pk, condition=BILLING)
    with pytest.raises(InvalidSettings, match="already"):
        service.add_route(alerts, by=world.adam, integration_id=house.pk)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({}, "always"),
        (BILLING, "category is billing"),
        ({"!": [BILLING]}, "not category is billing"),
        (
            {"and": [BILLING, {"or": [{">": [{"var": "amount"}, 100]}, {"var": "is_urgent"}]}]},
            "category is billing and (amount is above 100 or is urgent)",
        ),
        ({"in": [{"var": "team"}, ["a", "b"]]}, "team is one of a, b"),
        ({"unknown": 1}, "{'unknown': 1}"),
    ],
)
def test_a_condition_is_told_in_words(condition: Any, words: str) -> None:
    assert in_words(condition) == words


def test_the_page_says_which_way_messages_go(world: World, alerts: Channel) -> None:
    row = made(world.organisation, "Main post")
    paused = made(world.organisation, "Old post", status="inactive")
    client = client_of(world.adam)
    address = f"/connections/channels/{alerts.pk}/"
    form = {"integration": str(row.pk), "condition": '{"==": [{"var": "category"}, "billing"]}'}
    assert client.post(f"{address}add/", form).status_code == 303
    assert client.post(f"{address}add/", {"integration": str(paused.pk)}).status_code == 303
    text = text_of(world.bob, address)
    assert "First:\n" in text or "First:" in text
    assert "when category is billing" in text
    assert "Paused: passed over" in text
    assert "Add a way" not in text  # a member looks
    wrong = client.post(f"{address}add/", {"integration": str(row.pk), "condition": "{not json"})
    assert wrong.status_code == 422
    assert b"not valid JSON" in wrong.content
    assert b"{not json" in wrong.content
    listed = client.get("/connections/channels/", headers={"Accept": "application/json"}).json()
    assert [len(one["routes"]) for one in listed["channels"]] == [2]
