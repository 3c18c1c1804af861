"""Whose rights tools have: what they find and whom they reach while rights change."""

from collections.abc import Iterator

import pytest

from agents_app.models import Agent, AgentKind, CallStatus
from agents_app.providers.parts import ToolCallPart
from agents_app.runtime.agent import agent_of
from agents_app.runtime.offers import DELEGATE, offers
from agents_app.search.query_vectors import QueryVector
from agents_app.services.agents import create_agent
from agents_app.services.tools import set_tool_policy
from agents_app.tools.definitions import ToolContext
from chat_app.builtins.threads import SearchMessages, search_as_told
from chat_app.models import EscalationStatus, Message, Thread, Turn
from chat_app.services import delegation
from chat_app.services.conversation import send_agent_message
from chat_app.services.escalations import escalate, take_over
from chat_app.services.threads import create_thread, remove_participant
from one_project.accounts.models import Membership, User
from tests.chat.proposing import execute, proposed, state, step
from tests.chat.tools import registered_tools
from tests.people import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with registered_tools():
        yield


def say(thread: Thread, text: str, by: User) -> Message:
    message, _ = send_agent_message(thread, content=text, author=by, answer=False)
    return message


def found_by(world: World, user: User, thread: Thread) -> list[str]:
    context = ToolContext(organisation=world.organisation, user=user, thread_id=thread.pk)
    arguments = SearchMessages(query="plum", other_threads=True)
    # Without the vector, for which the tool goes to threads that see what is committed only.
    hits = search_as_told(arguments, context, QueryVector())["messages"]
    return sorted(hit["text"] for hit in hits)


# --- Searching what was said ---


def test_other_threads_are_searched_only_where_everybody_here_takes_part(world: World) -> None:
    shared = world.thread(world.bob)
    say(shared, "plum here", world.alice)
    say(world.thread(), "plum of Alice alone", world.alice)
    say(world.thread(world.bob, world.stella), "plum of three", world.alice)
    assert found_by(world, world.alice, shared) == ["plum here", "plum of three"]
    alone = world.thread()
    everything = ["plum here", "plum of Alice alone", "plum of three"]
    assert found_by(world, world.alice, alone) == everything


def test_who_has_left_shows_nothing_of_theirs_to_those_who_stayed(world: World) -> None:
    shared = world.thread(world.bob)
    own = create_thread(world.organisation, user=world.bob)
    say(own, "plum of Bob", world.bob)
    remove_participant(shared, user=world.bob, person=world.bob)
    assert found_by(world, world.bob, shared) == []


def test_what_is_hidden_from_models_is_not_found(world: World) -> None:
    thread = world.thread()
    hidden = say(thread, "plum", world.alice)
    Message.objects.filter(pk=hidden.pk).update(meta={"skip_context": True})
    assert found_by(world, world.alice, thread) == []


# --- Delegation ---


def hand_over(key: str = "1", task: str = "look", to: str = "Private") -> ToolCallPart:
    return ToolCallPart(key, "delegate_to_agent", {"agent": to, "task": task})


def make(world: World, name: str, by: User, *delegates: Agent) -> Agent:
    return create_agent(
        world.organisation, name=name, created_by=by, kind=AgentKind.USER_AGENT,
        delegates_to=delegates,
    )  # fmt: skip


def may_reach(world: World, caller: Agent, user: User) -> bool:
    return DELEGATE in offers(agent_of(caller), world.organisation, user)


def test_an_agent_that_is_shared_no_more_is_not_reached_through_another(world: World) -> None:
    private = make(world, "Private", world.alice)
    private.is_shared = True
    private.save()
    caller = make(world, "Caller", world.bob, private)
    assert may_reach(world, caller, world.bob)
    private.is_shared = False
    private.save()
    assert not may_reach(world, caller, world.bob)
    assert may_reach(world, caller, world.alice), "it is hers"


def test_who_is_given_an_agent_may_use_it_with_all_its_maker_has_put_in(world: World) -> None:
    caller = make(world, "Caller", world.alice, make(world, "Private", world.alice))
    assert may_reach(world, caller, world.bob)


def test_rights_are_looked_at_when_it_delegates(world: World) -> None:
    private = make(world, "Private", world.alice)
    private.is_shared = True
    private.save()
    caller = make(world, "Caller", world.bob, private)
    thread = create_thread(world.organisation, user=world.bob, agent=caller)
    _, [made] = proposed(world, hand_over(), thread=thread, by=world.bob)
    private.is_shared = False
    private.save()
    context = ToolContext(
        organisation=world.organisation, user=world.bob, agent=caller, thread_id=thread.pk
    )
    with pytest.raises(delegation.ToolError, match="cannot delegate"):
        delegation.delegate(context, agent="Private", task="look")
    assert state(made) == CallStatus.APPROVED
    assert not Thread.objects.filter(parent=thread).exists()


def test_the_organisation_can_forbid_delegation(world: World) -> None:
    helper = create_agent(world.organisation, name="Helper", kind=AgentKind.SYSTEM_AGENT)
    world.agent.delegates_to.add(helper)
    assert may_reach(world, world.agent, world.bob)
    set_tool_policy(world.organisation, by=world.alice, name=DELEGATE, approval="deny")
    assert not may_reach(world, world.agent, world.bob)


def test_a_question_has_so_many_delegations_in_all_its_threads(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegation, "MAX_OF_QUESTION", 3)
    helper = create_agent(world.organisation, name="Private", kind=AgentKind.SYSTEM_AGENT)
    world.agent.delegates_to.add(helper)
    helper.delegates_to.add(helper)
    _, [first, second] = proposed(world, hand_over("1", "one"), hand_over("2", "two"))
    execute(first)
    execute(second)
    first.refresh_from_db()
    nested = Turn.objects.get(thread=first.child_thread_id)
    below = step(nested, hand_over("3", "three"), hand_over("4", "four"))
    for made in below:
        execute(made)
    assert [state(made) for made in below] == [CallStatus.WAITING, CallStatus.FAILED]


# --- People who have gone ---


@pytest.mark.parametrize("gone", ["left", "deactivated"])
def test_a_thread_whose_helper_has_gone_can_ask_for_another(world: World, gone: str) -> None:
    thread = world.thread()
    asked = escalate(thread, reason="Please", user=world.alice)
    take_over(asked, by=world.stella)
    assert escalate(thread, reason="Again", user=world.alice).status == EscalationStatus.TAKEN
    if gone == "left":
        remove_participant(thread, user=world.stella, person=world.stella)
    else:
        Membership.objects.filter(user=world.stella).update(is_active=False)
    again = escalate(thread, reason="Again", user=world.alice)
    assert (again.pk, again.status, again.taken_by) == (
        asked.pk,
        EscalationStatus.WAITING_FOR_HUMAN,
        None,
    )
    assert take_over(again, by=world.adam).handled_by == world.adam
