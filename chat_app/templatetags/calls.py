"""How the use of a tool is shown: in words, in one line, and in full."""

from dataclasses import dataclass
from typing import Any

import orjson
from django import template

from agents_app.models import CallStatus, Effect, ToolCall
from agents_app.providers.parts import ReasoningPart, ToolCallPart, ToolResultPart
from agents_app.runtime.offers import thread_tools
from agents_app.tools.definitions import builtin_tools
from chat_app.models import Message, MessageKind

register = template.Library()

LONGEST_LINE = 140
# Characters of a result in the card; all of it is read on request.
LONGEST_SHOWN = 1500
WORDS = {
    CallStatus.PROPOSED: "Running…",
    CallStatus.APPROVED: "Running…",
    CallStatus.RUNNING: "Running…",
    CallStatus.FAILED: "Failed",
    CallStatus.TIMED_OUT: "Took too long",
    CallStatus.EXPIRED: "Expired",
    CallStatus.CANCELED: "Stopped",
    CallStatus.UNKNOWN: "Outcome unknown",
}
TONES = {
    CallStatus.AWAITING_APPROVAL: "asks",
    CallStatus.WAITING: "asks",
    CallStatus.UNKNOWN: "asks",
    CallStatus.SUCCEEDED: "done",
    CallStatus.FAILED: "failed",
    CallStatus.TIMED_OUT: "failed",
    CallStatus.DENIED: "ended",
    CallStatus.EXPIRED: "ended",
    CallStatus.CANCELED: "ended",
}


@dataclass(frozen=True, slots=True)
class SaidCall:
    """A call that a program wrote down as part of a message: no row, nothing to decide."""

    title: str
    line: str
    arguments: str
    result: str


@register.filter
def calls_of(message: Message) -> list[ToolCall]:
    """The calls of a message of kind tool, where they were attached."""
    return getattr(message, "calls", [])


@register.filter
def asks_people(message: Message) -> bool:
    """Whether one of the message's calls waits for a person."""
    return any(waits_for_person(call) for call in calls_of(message))


@register.filter
def waits_for_person(call: ToolCall) -> bool:
    """Whether a person has to say something before it goes on (or is settled)."""
    return call.status in {CallStatus.AWAITING_APPROVAL, CallStatus.UNKNOWN} or is_question(call)


@register.filter
def is_question(call: ToolCall) -> bool:
    """Whether a person's answer is its result."""
    waits = call.status == CallStatus.WAITING and call.child_thread_id is None
    return waits and not call.is_sending


@register.filter
def awaiting(message: Message) -> list[ToolCall]:
    """The calls of the message that could be approved."""
    return [one for one in calls_of(message) if one.status == CallStatus.AWAITING_APPROVAL]


@register.filter
def is_destructive(call: ToolCall) -> bool:
    """Whether it is asked for every time."""
    return call.effect == Effect.DESTRUCTIVE or "always" in call.meta.get("facts", {})


@register.filter
def tool_title(name: str) -> str:
    """What people call the tool."""
    of_thread = thread_tools().get(name)
    found = builtin_tools().get(name) or (of_thread and of_thread.definition)
    return (found and found.title) or name.replace("_", " ").replace("-", " ").capitalize()


@register.filter
def used(message: Message) -> str:
    """The titles of the tools a message shows, each once."""
    titles = dict.fromkeys(tool_title(call.name) for call in calls_of(message))
    return ", ".join(titles) or "a tool"


@register.filter
def tone(call: ToolCall) -> str:
    """One word for the colour of a state."""
    return "busy" if call.is_sending else TONES.get(CallStatus(call.status), "busy")


@register.filter
def state_words(call: ToolCall) -> str:
    """The state for people; what waits for somebody is said by the template."""
    if call.status == CallStatus.SUCCEEDED:
        return f"Done in {spent(call)}" if call.duration_ms is not None else "Done"
    if call.status == CallStatus.DENIED:
        if call.decided_by is None:
            return "Withdrawn"
        who = f"Denied by {call.decided_by.display_name}"
        return f"{who}: {call.reason}" if call.reason else who
    if call.is_sending:
        return "Being sent…"
    return WORDS.get(CallStatus(call.status), "Works in a thread of its own…")


@register.filter
def facts_of(call: ToolCall) -> dict[str, str]:
    """Through what it acts and whom it reaches, as people were told before they decided."""
    found = call.meta.get("facts")
    return found if isinstance(found, dict) else {}


@register.filter
def to_connect(call: ToolCall) -> dict[str, str]:
    """The account that has to be connected first: ``integration_id`` and ``title``."""
    if call.error_code != "connect_required" or not isinstance(call.output, dict):
        return {}
    found = call.output.get("connect")
    return found if isinstance(found, dict) else {}


@register.filter
def decided(call: ToolCall) -> str:
    """Which person let it happen, where one did."""
    if call.decided_by is None or call.status == CallStatus.DENIED:
        return ""
    name = call.decided_by.display_name
    if call.error_code == "outcome_unknown":
        happened = call.status == CallStatus.SUCCEEDED
        return f"{name} has looked: it {'happened' if happened else 'did not happen'}."
    if call.replaces is not None:
        return f"{name} changed the arguments and approved it."
    answered = isinstance(call.output, dict) and "answered_by" in call.output
    return f"{name} answered." if answered else f"{name} approved it."


@register.filter
def spent(call: ToolCall) -> str:
    """How long it took: ``40 ms``, ``1.2 s``, ``3 min``."""
    took = call.duration_ms
    if took is None:
        return ""
    if took < 100:
        return f"{max(took, 1)} ms"
    if took < 60_000:
        return f"{took / 1000:.1f} s"
    minutes = round(took / 60_000)
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"


@register.filter
def one_line(arguments: Any) -> str:
    """The arguments on one line: the value of a single one, names and values of several."""
    if not isinstance(arguments, dict):
        return _cut(str(arguments))
    said = {name: value for name, value in arguments.items() if value not in ("", None)}
    if len(said) == 1:
        return _cut(_short(next(iter(said.values()))))
    return _cut(" · ".join(f"{name}: {_short(value)}" for name, value in said.items()))


@register.filter
def pretty(value: Any) -> str:
    """A JSON value as people read it; text as it is."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()


@register.filter
def result_of(call: ToolCall) -> str:
    """All of what came back: the whole output where it worked, else what the model was told."""
    if call.status == CallStatus.SUCCEEDED and call.output is not None:
        if isinstance(call.output, dict) and call.output.keys() == {"answer", "answered_by"}:
            return str(call.output["answer"])
        return pretty(call.output)
    return call.told


@register.filter
def shown(text: str) -> str:
    return text[:LONGEST_SHOWN]


@register.filter
def is_long(text: str) -> bool:
    return len(text) > LONGEST_SHOWN


@register.filter
def thoughts(message: Message) -> str:
    """What the model thought aloud before it spoke."""
    if not any(part.get("type") == ReasoningPart.tag for part in message.content):
        return ""
    parts = [part for part in message.parts if isinstance(part, ReasoningPart)]
    return "\n\n".join(part.text for part in parts if part.text and not part.redacted)


@register.filter
def said_calls(message: Message) -> list[SaidCall]:
    """The calls that a program wrote down in a message which no turn has made."""
    if not message.is_tool or message.turn_id is not None:
        return []
    parts = message.parts
    results = {part.call_id: part.output for part in parts if isinstance(part, ToolResultPart)}
    return [
        SaidCall(
            title=tool_title(part.name),
            line=one_line(part.arguments),
            arguments=pretty(part.arguments),
            result=pretty(results[part.id]) if part.id in results else "",
        )
        for part in parts
        if isinstance(part, ToolCallPart)
    ]


@register.filter
def is_continued(message: Message) -> bool:
    """Whether it goes on where the message before it ended: a later step of the same turn."""
    if message.turn_id is None or message.kind not in {MessageKind.AGENT, MessageKind.TOOL}:
        return False
    return message.kind == MessageKind.TOOL or (message.step_order > 1 and not message.has_earlier)


@register.filter
def says_nothing(message: Message) -> bool:
    """Whether there is nothing to see: a step that only asked for tools."""
    return (
        message.kind == MessageKind.AGENT
        and message.turn_id is not None
        and message.status == "success"
        and not (message.text or message.is_stopped or message.has_earlier)
        and not thoughts(message)
    )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return " ".join(text.split())


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1].rstrip()}…"
