"""Making, changing, sharing and switching off agents."""

from typing import Any

import pytest

from agents_app.access import access_agent, access_agent_to_edit
from agents_app.errors import AgentNotFound, InvalidFields
from agents_app.models import Agent, AgentKind
from agents_app.services.agents import (
    AgentValues,
    create_agent,
    duplicate_agent,
    make_agent,
    set_agent_active,
    update_agent,
)
from agents_app.services.prompts import create_prompt
from agents_app.services.sharing import Sharing
from one_project.accounts.models import Event, Grant, Membership, Team, TeamMember, User
from one_project.common.errors import AccessDenied, Conflict, InvalidInput, NotFound
from one_project.common.ids import new_id
from tests.people import World

pytestmark = pytest.mark.django_db


def made(
    world: World, by: User | None = None, sharing: Sharing | None = None, **more: Any
) -> Agent:
    values = AgentValues(**{"name": "Writer", "prompt": "Write.", **more})
    return make_agent(
        world.organisation, by=by or world.bob, values=values, sharing=sharing or Sharing()
    )


def may_use(person: User, agent: Agent) -> bool:
    try:
        return access_agent(person, agent.organisation, agent.pk) == agent
    except AgentNotFound:
        return False


def may_edit(person: User, agent: Agent) -> bool:
    try:
        return access_agent_to_edit(person, agent.organisation, agent.pk) == agent
    except AgentNotFound:
        return False


def test_a_members_agent_is_private_until_shared(world: World) -> None:
    agent = made(world)
    assert may_use(world.bob, agent)
    assert not may_use(world.stella, agent)
    assert not may_use(world.charlie, agent)


def test_only_admins_make_agents_of_the_organisation(world: World) -> None:
    for person in (world.bob, world.stella):
        with pytest.raises(AccessDenied):
            made(world, person, kind=AgentKind.SYSTEM_AGENT)
    with pytest.raises(NotFound):
        made(world, world.charlie)
    assert may_use(world.bob, made(world, world.adam, kind=AgentKind.SYSTEM_AGENT))


def test_an_agent_can_be_shared_with_everybody_with_people_and_with_teams(world: World) -> None:
    team = Team.objects.create(organisation=world.organisation, name="Sales")
    TeamMember.objects.create(team=team, user=world.adam)
    open_to_all = made(world, sharing=Sharing(mode="organisation"))
    assert may_use(world.stella, open_to_all)
    chosen = Sharing(mode="chosen", people={world.stella.pk: "use"}, teams={team.pk: "manage"})
    agent = made(world, sharing=chosen)
    assert may_use(world.stella, agent)
    assert not may_edit(world.stella, agent)
    assert may_edit(world.adam, agent)
    assert not may_use(world.charlie, agent)


def test_people_can_be_added_by_their_address(world: World) -> None:
    agent = made(world, sharing=Sharing(mode="chosen", addresses=("STELLA@example.test",)))
    assert may_use(world.stella, agent)
    with pytest.raises(InvalidFields) as caught:
        made(world, sharing=Sharing(mode="chosen", addresses=("charlie@example.test",)))
    assert set(caught.value.fields) == {"addresses"}
    assert Agent.objects.filter(name="Writer").count() == 1


def test_private_again_takes_every_access_back(world: World) -> None:
    agent = made(world, sharing=Sharing(mode="chosen", people={world.stella.pk: "manage"}))
    update_agent(agent, by=world.bob, values=AgentValues(name="Writer"), sharing=Sharing())
    assert not may_use(world.stella, agent)
    assert not Grant.objects.exists()


def test_who_is_not_named_keeps_their_access(world: World) -> None:
    agent = made(world, sharing=Sharing(mode="chosen", people={world.stella.pk: "use"}))
    sharing = Sharing(mode="chosen", people={world.adam.pk: "use"})
    update_agent(agent, by=world.bob, values=AgentValues(name="Writer"), sharing=sharing)
    assert may_use(world.stella, agent)


@pytest.mark.parametrize("level", ["own", "admin", ""])
def test_an_unknown_level_is_refused(world: World, level: str) -> None:
    sharing = Sharing(mode="chosen", people={world.stella.pk: level})
    if not level:
        made(world, sharing=sharing)
        return
    with pytest.raises(InvalidFields):
        made(world, sharing=sharing)
    assert not Agent.objects.filter(name="Writer").exists()


def test_creator_managers_and_admins_may_change_an_agent(world: World) -> None:
    agent = made(world, sharing=Sharing(mode="organisation"))
    assert may_edit(world.bob, agent)
    assert may_edit(world.adam, agent)
    assert may_edit(world.alice, agent)
    assert not may_edit(world.stella, agent)
    assert not may_edit(world.charlie, agent)


def test_an_agent_of_the_organisation_is_changed_by_admins_even_if_its_maker_is_none_any_more(
    world: World,
) -> None:
    agent = made(world, world.adam, kind=AgentKind.SYSTEM_AGENT)
    Membership.objects.filter(user=world.adam).update(role="member")
    assert not may_edit(world.adam, agent)
    assert may_edit(world.alice, agent)


def test_who_has_left_may_change_nothing(world: World) -> None:
    agent = made(world)
    Membership.objects.filter(user=world.bob).update(is_active=False)
    assert not may_edit(world.bob, agent)


@pytest.mark.parametrize("wanted", [None, "", "x", new_id()])
def test_what_is_no_agent_is_not_found(world: World, wanted: Any) -> None:
    with pytest.raises(AgentNotFound):
        access_agent_to_edit(world.alice, world.organisation, wanted)


def test_an_update_replaces_what_was_there(world: World) -> None:
    prompt = create_prompt(world.organisation, name="Tone", text="Kind.", created_by=world.bob)
    agent = made(world, tools=["calculator"], tags=["a"], attached_prompts=[prompt])
    values = AgentValues(
        name=" New\nname ",
        tools=["current_time", "current_time"],
        delegates_to=[world.agent, agent],
        options={"max_steps": 3},
    )
    saved = update_agent(agent, by=world.bob, values=values)
    saved.refresh_from_db()
    assert (saved.name, saved.tools, saved.tags) == ("New name", ["current_time"], [])
    # An agent never delegates to itself.
    assert list(saved.delegates_to.all()) == [world.agent]
    assert not saved.attached_prompts.exists()
    assert saved.options == {"max_steps": 3}
    assert Event.objects.filter(kind="agent_updated", target=f"agent:{agent.pk}").exists()


def test_two_editors_do_not_overwrite_each_other(world: World) -> None:
    agent = made(world)
    seen = agent.updated_at
    update_agent(agent, by=world.bob, values=AgentValues(name="First"), seen=seen)
    with pytest.raises(Conflict):
        update_agent(agent, by=world.adam, values=AgentValues(name="Second"), seen=seen)
    agent.refresh_from_db()
    assert agent.name == "First"


def test_only_an_admin_makes_an_agent_the_organisations(world: World) -> None:
    agent = made(world)
    values = AgentValues(name="Writer", kind=AgentKind.SYSTEM_AGENT)
    with pytest.raises(AccessDenied):
        update_agent(agent, by=world.bob, values=values)
    assert update_agent(agent, by=world.adam, values=values).kind == AgentKind.SYSTEM_AGENT


@pytest.mark.parametrize(
    "options",
    [
        {"max_steps": 0},
        {"temperature": 9},
        {"unknown": 1},
        {"provider_options": {"a": "\x00"}},
        {"provider_options": {"a": float("nan")}},
        {"approvals": {"calculator": "sometimes"}},
    ],
)
def test_options_that_are_none_are_refused(world: World, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidFields):
        made(world, options=options)


def test_an_agent_needs_a_name(world: World) -> None:
    with pytest.raises(InvalidFields) as caught:
        made(world, name=" \x00 ")
    assert set(caught.value.fields) == {"name"}


def test_rows_of_another_organisation_cannot_be_attached(world: World) -> None:
    foreign = create_agent(world.elsewhere, name="Spy")
    with pytest.raises(InvalidInput):
        made(world, delegates_to=[foreign])


def test_an_agent_that_is_switched_off_stays_but_cannot_be_used(world: World) -> None:
    agent = made(world)
    set_agent_active(agent, by=world.bob, is_active=False)
    set_agent_active(agent, by=world.bob, is_active=False)
    assert not may_use(world.bob, agent)
    assert may_edit(world.bob, agent)
    assert Event.objects.filter(kind="agent_deactivated").count() == 1
    set_agent_active(agent, by=world.bob, is_active=True)
    assert may_use(world.bob, agent)


def test_a_copy_is_private_and_belongs_to_who_made_it(world: World) -> None:
    agent = made(world, sharing=Sharing(mode="organisation"), tools=["calculator"])
    copy = duplicate_agent(agent, by=world.adam)
    assert (copy.name, copy.prompt, copy.tools) == ("Writer (copy)", "Write.", ["calculator"])
    assert (copy.created_by, copy.kind, copy.is_shared) == (world.adam, "user_agent", False)
    assert not may_use(world.bob, copy)
