"""Tools whose effects can be counted, and turns that use them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents_app.models import ToolCall
from agents_app.providers.parts import Part, TextPart, ToolCallPart
from agents_app.runtime.agent import agent_of
from agents_app.runtime.offers import offers
from agents_app.tools import definitions
from agents_app.tools.definitions import Arguments, ToolContext, ToolDefinition, ToolError, define
from agents_app.types import AgentOptions
from chat_app.models import Message, Thread, Turn
from chat_app.services.conversation import continue_thread
from chat_app.services.steps import StepTools, end_step
from chat_app.services.turns import Outcome
from one_project.accounts.models import Event
from one_project.accounts.services.events import record_event
from tests.chat.answering import begin
from tests.people import World


class Note(Arguments):
    text: str


def look_up(arguments: Note, context: ToolContext) -> dict[str, str]:
    """Look something up."""
    record_event(context.organisation, "looked_up", data={"text": arguments.text})
    return {"found": arguments.text.upper()}


def write_down(arguments: Note, context: ToolContext) -> str:
    """Write something down."""
    record_event(context.organisation, "written_down", data={"text": arguments.text})
    return f"written: {arguments.text}"


def send_out(arguments: Note, context: ToolContext) -> str:
    """Send something to the world."""
    record_event(context.organisation, "sent_out", data={"key": str(context.key)})
    return f"sent: {arguments.text}"


def destroy(arguments: Note, context: ToolContext) -> str:
    """Destroy something."""
    record_event(context.organisation, "destroyed")
    return "gone"


def fail(arguments: Note) -> str:
    """Fail."""
    raise ToolError(f"no luck with {arguments.text}")


def break_down(arguments: Note) -> str:
    """Break."""
    raise RuntimeError("a secret of the house")


def definitions_for_tests() -> list[ToolDefinition]:
    return [
        define(look_up, name="look_up", effect="read"),
        define(write_down, name="write_down", effect="write", in_transaction=True),
        define(send_out, name="send_out", effect="external"),
        define(destroy, name="destroy", effect="destructive"),
        define(fail, name="fail", effect="read"),
        define(break_down, name="break_down", effect="read"),
    ]


@contextmanager
def registered_tools() -> Iterator[None]:
    """The tools above, as built-in ones."""
    made = definitions_for_tests()
    for definition in made:
        definitions.register_tool(definition)
    try:
        yield
    finally:
        for definition in made:
            definitions._registry.pop(definition.name)


def give_tools(world: World, *names: str, **options: Any) -> None:
    world.agent.tools = list(names)
    world.agent.options = options
    world.agent.save()


def call(name: str, text: str = "tea", *, key: str = "c1") -> ToolCallPart:
    return ToolCallPart(key, name, {"text": text})


def effects(kind: str) -> int:
    return Event.objects.filter(kind=kind).count()


def calls_of(turn: Turn) -> list[ToolCall]:
    return list(ToolCall.objects.filter(turn_id=turn.pk).in_order())


def said_in(turn: Turn) -> list[tuple[int, str, str, str]]:
    """Step order, kind, status and text of what belongs to the turn's question."""
    rows = Message.objects.filter(thread=turn.thread_id, order=turn.prompt.order).in_order()
    return [(row.step_order, row.kind, row.status, row.text) for row in rows]


def propose(world: World, thread: Thread, *parts: ToolCallPart, text: str = "") -> list[ToolCall]:
    """A turn asked by Alice whose model wants these calls, without a worker: each has to be asked
    for, but for those that only read."""
    turn, work = begin(continue_thread(thread, user=world.alice, message="Please"))
    options = AgentOptions(approvals={"write_down": "always"})
    offered = offers(agent_of(world.agent), world.organisation, world.alice)
    said: list[Part] = [TextPart(text)] if text else []
    outcome = Outcome(parts=[*said, *parts], finish_reason="tool_calls")
    assert end_step(turn, outcome, StepTools(offered=offered, options=options), work)
    return calls_of(turn)
