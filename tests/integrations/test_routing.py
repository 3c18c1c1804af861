"""Which integration is taken, and which come after it; where a person is reached."""

import pytest
from django.utils import timezone

from integrations_app.models import Channel, ChannelRoute, Endpoint
from integrations_app.providers.base import provider_of
from integrations_app.runtime.addressing import address_of, shown_address
from integrations_app.runtime.routing import route
from integrations_app.types import Reason
from one_project.accounts.models import Team
from tests.integrations.sample_providers import make_integration
from tests.people import World


@pytest.fixture
def team(world: World) -> Team:
    return Team.objects.create(organisation=world.organisation, name="Sales")


def names(found: object) -> list[str]:
    return [one.name for one in found.integrations]  # type: ignore[attr-defined]


def test_order_is_own_then_team_then_house_then_priority(world: World, team: Team) -> None:
    house = world.organisation
    make_integration(house, name="last", priority=200)
    make_integration(house, name="early", priority=1)
    make_integration(house, name="house", is_default=True)
    make_integration(house, name="team", team=team, is_default=True)
    make_integration(house, name="own", user=world.bob, is_default=True)
    make_integration(house, name="paused", status="inactive", priority=0)
    make_integration(house, name="phone", provider="sample_sms", channel_type="sms")
    found = route(house, "email", user=world.bob, team_id=team.pk)
    assert names(found) == ["own", "team", "house", "early", "last"]
    # What is a person's or a team's own carries nothing of others.
    assert names(route(house, "email", user=world.alice)) == ["house", "early", "last"]


def test_explicit_comes_first_unless_it_is_paused_or_of_others(world: World) -> None:
    house = world.organisation
    make_integration(house, name="house", is_default=True)
    wanted = make_integration(house, name="wanted")
    foreign = make_integration(world.elsewhere, name="foreign")
    assert names(route(house, "email", integration=wanted)) == ["wanted", "house"]
    assert names(route(house, "email", integration=foreign)) == ["house", "wanted"]
    wanted.status = "error"
    wanted.save()
    assert names(route(house, "email", integration=wanted)) == ["house"]


def test_the_rules_of_a_channel_come_before_defaults(world: World) -> None:
    house = world.organisation
    place = Endpoint.objects.create(
        organisation=house, type="email", address="bills@example.test", status="active"
    )
    make_integration(house, name="house", is_default=True)
    bills = make_integration(house, name="bills")
    rest = make_integration(house, name="rest")
    channel = Channel.objects.create(
        organisation=house, key="money", name="Money", channel_type="email"
    )
    rule = {"==": [{"var": "category"}, "bill"]}
    for position, (integration, condition) in enumerate([(bills, rule), (rest, {})]):
        ChannelRoute.objects.create(
            organisation=house,
            channel=channel,
            integration=integration,
            condition=condition,
            position=position,
            endpoint=place if integration == bills else None,
        )
    found = route(house, "email", channel=channel, facts={"category": "bill"})
    assert names(found) == ["bills", "rest", "house"]
    assert found.endpoint == place
    other = route(house, "email", channel=channel, facts={"category": "news"})
    assert names(other)[0] == "rest"
    assert other.endpoint is None
    channel.is_active = False
    assert route(house, "email", channel=channel).reason == Reason.NO_INTEGRATION


def test_without_an_active_one_there_is_a_reason(world: World) -> None:
    make_integration(world.elsewhere)
    assert route(world.organisation, "email").reason == Reason.NO_INTEGRATION


def test_a_person_is_reached_at_what_is_verified(world: World) -> None:
    mail, phone = provider_of("sample"), provider_of("sample_sms")
    house = world.organisation
    endpoint, target = address_of(world.bob, house.pk, mail)
    assert endpoint is None
    assert target
    assert target.address == world.bob.email
    assert address_of(world.bob, house.pk, phone) == (None, None)
    mine = {"organisation": house, "user": world.bob}
    number = Endpoint.objects.create(**mine, type="phone", address="+12025550100")
    assert address_of(world.bob, house.pk, phone) == (None, None)
    number.status, number.verified_at = "active", timezone.now()
    number.save()
    endpoint, target = address_of(world.bob, house.pk, phone)
    assert endpoint == number
    number.status = "bounced"
    number.save()
    assert address_of(world.bob, house.pk, phone) == (number, None)
    assert address_of(world.bob, world.elsewhere.pk, phone) == (None, None)


def test_addresses_of_people_are_masked() -> None:
    assert shown_address("email", "somebody@example.test") == "s…@example.test"
    assert shown_address("phone", "+12025550100") == "…100"
    assert shown_address("slack_channel", "C1", "#general") == "#general"
