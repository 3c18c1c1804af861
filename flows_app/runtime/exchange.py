"""A flow as a JSON document, and back.

The format, version 1::

    {"format": "one.flow", "version": 1,
     "name": "Onboarding", "description": "…", "completion_message": "…",
     "steps": [{
       "name": "Safety",                 # unique in the flow, whatever the case
       "kind": "reading",                # one of StepKind
       "content": "# Markdown",
       "required": true,
       "after": ["Tour"],                # names of the steps that come before
       "due_days": 7,                    # after the assignment, or null
       "agent": {"name": "Guide", "code_name": "guide"},  # or null
       "needs_review": false, "four_eyes": false, "review_hours": null,
       "settings": {},                   # by kind, see FlowStep
       "completes": "Completes when you mark it as read."  # for people; not read back
     }]}

No id of an organisation is in it: agents are found by their code name, else by their name; steps
get new keys. Items and fields keep their own ids, which mean nothing outside of their step.
Everything but ``format``, ``version``, ``name`` and a step's ``name`` and ``kind`` may be left out;
what is not known is refused, so that nothing is lost without a word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import TypeAdapter, ValidationError

from flows_app.conf import NAME_LIMIT
from flows_app.errors import InvalidSteps
from flows_app.runtime.drafts import check_steps
from flows_app.runtime.exchange_fields import SETTINGS, AgentRef, Document, Nothing, Step
from flows_app.runtime.rules import completion_rule
from flows_app.types import StepDraft
from one_project.common.errors import InvalidInput
from one_project.common.ids import new_id
from one_project.common.text import JSON_LIMITS, clean_json, clean_line, is_plain_json

FORMAT: Final = "one.flow"
VERSION: Final = 1
MAX_BYTES: Final = 1_000_000
# Faults that are told at once.
TOLD: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowDocument:
    """A document that could be read. ``agents``: who is wanted, by the key of the step.

    ``remarks``: what is not as the document says, by the name of the step.
    """

    name: str
    description: str
    completion_message: str
    steps: list[StepDraft]
    agents: dict[UUID, AgentRef]
    remarks: list[tuple[str, str]]


def write_document(
    *,
    name: str,
    description: str,
    completion_message: str,
    steps: Sequence[StepDraft],
    agents: Mapping[UUID, AgentRef],
) -> dict[str, Any]:
    """The document of a flow. ``agents`` by their id."""
    names = {step.key: step.name for step in steps}
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "description": description,
        "completion_message": completion_message,
        "steps": [_written(step, names, agents) for step in steps],
    }


def read_document(data: bytes | str) -> FlowDocument:
    """Raises InvalidInput that names the place of what is wrong, e.g. ``steps[2].due_days``."""
    document = _parsed(data)
    keys = [new_id() for _ in document.steps]
    names = {_folded(step.name): key for key, step in zip(keys, document.steps, strict=True)}
    drafts = [_draft(step, at, keys[at], names) for at, step in enumerate(document.steps)]
    try:
        checked = check_steps(drafts)
    except InvalidSteps as error:
        faults = [f"steps[{keys.index(key)}]: {told}" for key, told in error.problems.items()]
        raise InvalidInput(_told(faults)) from error
    wanted = {
        draft.key: step.agent
        for draft, step in zip(checked, document.steps, strict=True)
        if step.agent is not None
    }
    told = [
        (draft.name, f"The file says “{step.completes}”; here: “{completion_rule(draft)}”")
        for draft, step in zip(checked, document.steps, strict=True)
        if step.completes and step.completes != completion_rule(draft)
    ]
    return FlowDocument(
        name=document.name,
        description=document.description,
        completion_message=document.completion_message,
        steps=checked,
        agents=wanted,
        remarks=told,
    )


def _written(
    step: StepDraft, names: Mapping[UUID, str], agents: Mapping[UUID, AgentRef]
) -> dict[str, Any]:
    agent = agents.get(step.agent_id) if step.agent_id else None
    return {
        "name": step.name,
        "kind": step.kind,
        "content": step.content,
        "required": step.is_required,
        "after": [names[key] for key in step.prerequisites if key in names],
        "due_days": step.due_days,
        "agent": agent.model_dump() if agent else None,
        "needs_review": step.needs_review,
        "four_eyes": step.four_eyes,
        "review_hours": step.review_hours,
        "settings": step.settings,
        "completes": completion_rule(step),
    }


def _parsed(data: bytes | str) -> Document:
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if len(raw) > MAX_BYTES:
        raise InvalidInput(f"A flow to import has at most {MAX_BYTES // 1_000:,} kB.")
    try:
        found = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"This is not JSON ({place}: {error.msg}).") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InvalidInput('This is no flow: "format" has to be "one.flow".')
    if found.get("version") != VERSION:
        raise InvalidInput(f'"version" has to be {VERSION}; other versions cannot be read yet.')
    if not is_plain_json(found):
        raise InvalidInput(f"This is more than can be read {JSON_LIMITS}.")
    document: Document = _checked(Document, clean_json(found), "")
    return document


def _draft(step: Step, at: int, key: UUID, names: Mapping[str, UUID]) -> StepDraft:
    place = f"steps[{at}]"
    after = []
    for number, name in enumerate(step.after):
        if _folded(name) not in names:
            raise InvalidInput(f"{place}.after[{number}]: no step is called “{name[:120]}”.")
        after.append(names[_folded(name)])
    settings = _checked(SETTINGS.get(step.kind, Nothing), step.settings, f"{place}.settings")
    return StepDraft(
        key=key,
        kind=step.kind,
        name=step.name,
        content=step.content,
        is_required=step.required,
        prerequisites=tuple(after),
        due_days=step.due_days,
        needs_review=step.needs_review,
        four_eyes=step.four_eyes,
        review_hours=step.review_hours,
        settings=settings.model_dump(by_alias=True),
    )


def _checked(kind: Any, value: Any, place: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        faults = [
            f"{_path(place, fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_context=False)
        ]
        raise InvalidInput(_told(faults)) from error


def _told(faults: Sequence[str]) -> str:
    more = f" And {len(faults) - TOLD} more." if len(faults) > TOLD else ""
    listed = "; ".join(one.removesuffix(".") for one in faults[:TOLD])
    return f"{listed}.{more}"


def _folded(name: str) -> str:
    return clean_line(name, NAME_LIMIT).lower()


def _path(place: str, parts: Sequence[int | str]) -> str:
    for part in parts:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place
