"""Rights that end while a thread goes on: of people in nested threads, of agents shared no more."""

import pytest

from agents_app.models import Agent
from agents_app.providers.parts import ToolCallPart
from agents_app.services.agents import create_agent
from agents_app.services.sharing import Sharing, share
from chat_app.access import access_thread
from chat_app.errors import ThreadNotFound
from chat_app.models import Thread
from chat_app.services.conversation import continue_thread
from chat_app.services.threads import add_participants, create_thread, remove_participant
from chat_app.worker.turn import numbered
from one_project.common.errors import Conflict
from tests.people import World

pytestmark = pytest.mark.django_db


def nested(world: World, parent: Thread) -> Thread:
    child = Thread.objects.create(
        organisation=world.organisation, created_by=world.alice, parent=parent, depth=1
    )
    add_participants(child, user=world.alice, people=[world.alice, world.bob])
    return child


def test_who_leaves_a_thread_leaves_its_delegations(world: World) -> None:
    parent = world.thread(world.bob)
    child = nested(world, parent)
    assert access_thread(world.bob, child.pk) == child
    remove_participant(parent, user=world.alice, person=world.bob)
    with pytest.raises(ThreadNotFound):
        access_thread(world.bob, child.pk)
    assert access_thread(world.alice, child.pk) == child


def test_who_comes_later_sees_delegations_too(world: World) -> None:
    parent = world.thread()
    child = nested(world, parent)
    add_participants(parent, user=world.alice, people=[world.stella])
    assert access_thread(world.stella, child.pk) == child


@pytest.fixture
def writer(world: World) -> Agent:
    agent = create_agent(world.organisation, name="Writer", created_by=world.bob)
    share(agent, by=world.bob, sharing=Sharing(mode="organisation"))
    agent.refresh_from_db()
    return agent


def test_an_agent_shared_no_more_answers_nobody_else(world: World, writer: Agent) -> None:
    thread = create_thread(world.organisation, user=world.alice, agent=writer)
    assert continue_thread(thread, user=world.alice, message="hello")
    share(writer, by=world.bob, sharing=Sharing(mode="private"))
    with pytest.raises(Conflict):
        continue_thread(thread, user=world.alice, message="and now?")
    assert not thread.messages.filter(text="and now?").exists()


def test_guests_may_ask_the_private_agent_of_who_began_the_thread(
    world: World, writer: Agent
) -> None:
    share(writer, by=world.bob, sharing=Sharing(mode="private"))
    thread = create_thread(
        world.organisation, user=world.bob, agent=writer, participants=[world.alice]
    )
    assert continue_thread(thread, user=world.alice, message="hello").agent == writer


@pytest.mark.parametrize(
    "ids", [["x", "x_2", "x"], ["", "", ""], ["a" * 300, "a" * 300], ["a\x00b", "ab"]]
)
def test_calls_of_a_step_have_different_ids_that_can_be_stored(ids: list[str]) -> None:
    made = [call.id for call in numbered([ToolCallPart(one, "look_up", {}) for one in ids])]
    assert len(set(made)) == len(ids)
    assert all(0 < len(one) <= 128 and "\x00" not in one for one in made)
