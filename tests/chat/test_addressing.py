"""Who answers: a name, the agent picked, the thread's way (rows HU-8, HU-10, HU-11)."""

import pytest

from agents_app.models import Agent, AgentKind, AICall
from agents_app.providers.errors import ModelError
from agents_app.providers.scripted import ScriptedModel
from agents_app.services.agents import create_agent
from chat_app.models import Routing, Thread
from chat_app.services.addressing import addressed
from chat_app.services.conversation import continue_thread, send_agent_message
from tests.chat.test_engine import ended, running_engine, wait_until
from tests.people import World


@pytest.fixture
def coder(world: World) -> Agent:
    return _coder(world)


def _coder(world: World) -> Agent:
    return create_agent(
        world.organisation,
        name="Coder Two",
        kind=AgentKind.SYSTEM_AGENT,
        description="Writes programs and repairs code.",
    )


def to(world: World, thread: Thread, text: str, picked: Agent | None = None) -> str:
    found = addressed(thread, text, author=world.alice, picked=picked).agent
    return found.name if found else ""


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("hello", "Guide"),
        ("@Coder Two please", "Coder Two"),
        ("please, @coder two: now", "Coder Two"),
        ("write to me@Coder Two", "Guide"),
        ("@Coder Twofold", "Guide"),
        ("@Nobody @Guide?", "Guide"),
        ("@Bob what do you think?", ""),
        ("@Charlie is not here", "Guide"),
    ],
)
def test_a_name_in_the_text_picks_who_answers(
    world: World, coder: Agent, text: str, who: str
) -> None:
    assert to(world, world.thread(world.bob), text) == who


def test_the_agent_picked_answers_where_no_name_is_said(world: World, coder: Agent) -> None:
    thread = world.thread()
    assert to(world, thread, "hello", coder) == "Coder Two"
    assert to(world, thread, "@Guide hello", coder) == "Guide"


def test_agents_are_silent_in_a_thread_a_person_has_taken_over(world: World, coder: Agent) -> None:
    thread = world.thread()
    thread.handled_by = world.stella
    thread.save()
    assert to(world, thread, "hello", coder) == ""
    assert to(world, thread, "@Coder Two hello") == "Coder Two"
    message, turn = send_agent_message(thread, content="anybody?", author=world.alice)
    assert (message.text, turn) == ("anybody?", None)


def test_another_persons_private_agent_cannot_be_named(world: World) -> None:
    create_agent(world.organisation, name="Secret", created_by=world.bob)
    assert to(world, world.thread(world.bob), "@Secret hello") == "Guide"


@pytest.mark.django_db(transaction=True)
def test_a_router_model_chooses_who_answers(committed_world: World) -> None:
    coder = _coder(committed_world)
    thread = committed_world.thread()
    thread.routing = Routing.ROUTER
    thread.save()
    model = ScriptedModel(['{"agent": "Coder Two"}', "I repair it."])
    with running_engine(model):
        turn = continue_thread(thread, user=committed_world.alice, message="repair my code")
        wait_until(ended(turn))
    turn.refresh_from_db()
    assert (turn.agent, turn.message.author_name) == (coder, "Coder Two")
    assert AICall.objects.filter(purpose="routing").count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_threads_agent_answers_when_the_router_fails(committed_world: World) -> None:
    _coder(committed_world)
    thread = committed_world.thread()
    thread.routing = Routing.ROUTER
    thread.save()
    model = ScriptedModel([ModelError("bad_request"), "Hello."])
    with running_engine(model):
        turn = continue_thread(thread, user=committed_world.alice, message="hello")
        wait_until(ended(turn))
    turn.refresh_from_db()
    assert turn.message.author_name == "Guide"
    assert turn.message.text == "Hello."
