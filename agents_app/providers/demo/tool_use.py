"""When the demo model calls a tool: it plans all calls a question asks for, and makes what is left.

The plan is made anew from the question in every step of a turn, and what was called before is
taken off, whatever came of it; so a turn ends after as many calls as the plan has.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from agents_app.providers.demo.arguments import PARALLEL, arguments_for
from agents_app.providers.demo.intents import best_match, wanted_tools
from agents_app.providers.demo.request import DemoRequest, Message
from agents_app.providers.demo.words import MAX_QUESTION_CHARS, joined, shortened

MAX_CALLS = 10
LOOK_UP = "search_knowledge"
# What is to be repeated asks for nothing, whatever it says.
_VERBATIM: Final = re.compile(r"\s*(?:please\s+)?(?:repeat|echo)(?:\s+after\s+me)?\s*:", re.I)


@dataclass(frozen=True, slots=True)
class Call:
    """A call to make: the tool's name and its arguments as a JSON object."""

    name: str
    arguments: dict[str, Any]


def current_turn(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages after the last one of a person: calls made and results got for it."""
    last = max((i for i, one in enumerate(messages) if one.role == "user"), default=-1)
    return messages[last + 1 :]


def calls_for(request: DemoRequest) -> tuple[list[Call], str]:
    """The calls to make now and what to say before; no calls when the answer should be text.

    One call at a time, or all at once when the question says "together" or "in parallel".
    """
    if not request.tools or request.tool_choice == "none":
        return [], ""
    plan = _plan(request)
    made = Counter(
        name for message in current_turn(request.messages) for name in message.calls.values()
    )
    left: list[Call] = []
    for call in plan:
        if made[call.name]:
            made[call.name] -= 1
        else:
            left.append(call)
    begins = len(left) == len(plan) > 1
    together = PARALLEL.search(request.question[:MAX_QUESTION_CHARS])
    return (left if together else left[:1]), (_announced(plan) if begins else "")


def look_up(request: DemoRequest) -> list[Call]:
    """A search in the organisation's documents, for a question that nothing else answers."""
    tool = next((tool for tool in request.tools if tool.name == LOOK_UP), None)
    if tool is None or request.tool_choice == "none" or current_turn(request.messages):
        return []
    question = request.question[:MAX_QUESTION_CHARS]
    return [Call(tool.name, {"query": shortened(question, 300)})]


def _plan(request: DemoRequest) -> list[Call]:
    """All calls the question asks for, no two alike."""
    question = request.question[:MAX_QUESTION_CHARS]
    chosen = next((tool for tool in request.tools if tool.name == request.tool_choice), None)
    wanted = [(chosen, question)] if chosen else []
    if chosen is None and not _VERBATIM.match(question):
        wanted = wanted_tools(question, request.tools)
    if not wanted and request.tool_choice == "required":
        guess = best_match(question, request.tools, must=True)
        wanted = [(guess, question)] if guess else []
    plan: list[Call] = []
    for tool, part in wanted:
        call = Call(tool.name, arguments_for(tool, part, question))
        if call not in plan:
            plan.append(call)
    return plan[:MAX_CALLS]


_PLANNED: Final = {
    "ask_human": "ask you",
    "calculator": "work out the sum",
    "call_human": "call a person",
    "create_task": "create the task",
    "current_time": "look at the clock",
    "delegate_to_agent": "ask the other agent",
    "delete_document": "delete the document",
    "edit_canvas": "change the canvas",
    "fetch_web_page": "read the page",
    "get_context": "see who is here",
    "get_weather": "look up the weather",
    "notify_user": "send the notice",
    "post_to_slack": "post to Slack",
    "post_webhook": "send the message",
    "read_canvas": "read the canvas",
    "rewrite_canvas": "write the canvas",
    "search_google_drive": "search Google Drive",
    "search_knowledge": "search the documents",
    "search_messages": "search the messages",
    "search_notion": "search Notion",
    "search_onedrive": "search OneDrive",
    "send_email": "send the e-mail",
    "send_sms": "send the SMS",
    "update_thread_title": "name this thread",
}


def _announced(plan: Sequence[Call]) -> str:
    steps = list(dict.fromkeys(_PLANNED.get(call.name, f"use `{call.name}`") for call in plan))
    return f"I will {joined(steps)}."
