"""Giving access to a thing and taking it back."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from one_project.accounts.access import managed_ids
from one_project.accounts.models import Event, Grant, GrantLevel, Membership, Team, TeamMember
from one_project.accounts.models.grants import granted_ids
from one_project.accounts.services.grants import grant, revoke, revoke_all
from one_project.common.errors import InvalidInput
from one_project.common.ids import new_id
from tests.people import World

pytestmark = pytest.mark.django_db


def test_a_person_a_team_and_everybody_can_be_given_access(world: World) -> None:
    own, shared, public = new_id(), new_id(), new_id()
    team = Team.objects.create(organisation=world.organisation, name="Sales")
    TeamMember.objects.create(team=team, user=world.bob)
    grant(world.organisation, "tool", own, by=world.alice, user=world.bob)
    grant(world.organisation, "tool", shared, by=world.alice, team=team)
    grant(world.organisation, "tool", public, by=world.alice)
    assert set(granted_ids(world.bob, world.organisation, "tool")) == {own, shared, public}
    assert set(granted_ids(world.stella, world.organisation, "tool")) == {public}
    assert set(granted_ids(world.charlie, world.organisation, "tool")) == set()


def test_a_second_grant_changes_the_level_and_says_so_in_the_event_log(world: World) -> None:
    thing = new_id()
    for level in (GrantLevel.USE, GrantLevel.MANAGE, GrantLevel.MANAGE):
        grant(world.organisation, "tool", thing, by=world.alice, user=world.bob, level=level)
    assert Grant.objects.get().level == GrantLevel.MANAGE
    assert set(managed_ids(world.bob, world.organisation, "tool")) == {thing}
    events = Event.objects.filter(kind="access_granted").order_by("created_at")
    assert [event.data["level"] for event in events] == ["use", "manage"]
    assert {event.target for event in events} == {f"tool:{thing}"}


def test_access_that_is_taken_back_is_gone(world: World) -> None:
    thing = new_id()
    grant(world.organisation, "tool", thing, by=world.alice, user=world.bob)
    assert revoke(world.organisation, "tool", thing, by=world.alice, user=world.bob)
    assert not revoke(world.organisation, "tool", thing, by=world.alice, user=world.bob)
    assert set(granted_ids(world.bob, world.organisation, "tool")) == set()
    assert Event.objects.filter(kind="access_revoked").count() == 1


def test_all_access_can_be_taken_back_at_once(world: World) -> None:
    thing, other = new_id(), new_id()
    grant(world.organisation, "tool", thing, by=world.alice, user=world.bob)
    grant(world.organisation, "tool", thing, by=world.alice)
    grant(world.organisation, "tool", other, by=world.alice)
    assert revoke_all(world.organisation, "tool", thing, by=world.alice) == 2
    assert Grant.objects.get().object_id == other


def test_nobody_from_elsewhere_is_given_access(world: World) -> None:
    elsewhere = Team.objects.create(organisation=world.elsewhere, name="Spies")
    for whom in ({"user": world.charlie}, {"team": elsewhere}):
        with pytest.raises(InvalidInput):
            grant(world.organisation, "tool", new_id(), by=world.alice, **whom)
    assert not Grant.objects.exists()


def test_who_has_left_has_no_access_any_more(world: World) -> None:
    thing = new_id()
    grant(world.organisation, "tool", thing, by=world.alice, user=world.bob)
    Membership.objects.filter(user=world.bob).update(is_active=False)
    assert set(granted_ids(world.bob, world.organisation, "tool")) == set()


def test_a_grant_costs_the_same_however_many_there_are(world: World) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            grant(world.organisation, "tool", new_id(), by=world.alice, user=world.bob)
        return len(found)

    first = queries()
    for _ in range(5):
        grant(world.organisation, "tool", new_id(), by=world.alice)
    assert queries() == first
