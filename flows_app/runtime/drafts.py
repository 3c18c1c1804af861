"""Whether steps can be: names, kinds, order, settings of each kind."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flows_app.conf import (
    MAX_CHECKLIST,
    MAX_CONTENT,
    MAX_DUE_DAYS,
    MAX_FIELDS,
    MAX_PREREQUISITES,
    MAX_STEPS,
    NAME_LIMIT,
)
from flows_app.models import StepKind
from flows_app.runtime.graph import check_graph
from flows_app.types import StepDraft
from one_project.common.errors import InvalidInput
from one_project.common.ids import new_id
from one_project.common.text import clean_line, clean_text

FIELD_TYPES = ("text", "long", "number", "date", "choice", "check")


def check_steps(steps: Sequence[StepDraft], *, complete: bool = False) -> list[StepDraft]:
    """The steps, cleaned. ``complete``: also what a draft may still lack, for publishing.

    Raises InvalidInput naming the step and what to change, FlowCycle.
    """
    if len(steps) > MAX_STEPS:
        raise InvalidInput(f"A flow has at most {MAX_STEPS} steps.")
    if complete and not steps:
        raise InvalidInput("Please add a step before you publish.")
    checked = [_cleaned(step, at) for at, step in enumerate(steps, 1)]
    names: set[str] = set()
    for step in checked:
        if step.name.lower() in names:
            raise InvalidInput(f"Two steps are called “{step.name}”. Please rename one of them.")
        names.add(step.name.lower())
    keys = {step.key: step.name for step in checked}
    if len(keys) != len(checked):
        raise InvalidInput("A step is there twice.")
    for step in checked:
        if step.key in step.prerequisites:
            raise InvalidInput(f"“{step.name}” cannot wait for itself.")
        if not set(step.prerequisites) <= set(keys):
            raise InvalidInput(f"“{step.name}” waits for a step that is not in this flow.")
        if complete:
            _check_complete(step)
    check_graph({step.key: step.prerequisites for step in checked}, keys)
    return checked


def _cleaned(step: StepDraft, at: int) -> StepDraft:
    name = clean_line(step.name, NAME_LIMIT)
    if not name:
        raise InvalidInput(f"Please give step {at} a name.")
    if step.kind not in StepKind.values:
        raise InvalidInput(f"“{name}”: there is no kind of step called “{step.kind}”.")
    if len(step.content) > MAX_CONTENT:
        raise InvalidInput(f"“{name}”: the text has more than {MAX_CONTENT:,} characters.")
    if step.due_days is not None and not 0 <= step.due_days <= MAX_DUE_DAYS:
        raise InvalidInput(f"“{name}”: it is due 0 to {MAX_DUE_DAYS:,} days after the assignment.")
    if step.review_hours is not None and not 1 <= step.review_hours <= 24 * MAX_DUE_DAYS:
        raise InvalidInput(f"“{name}”: a review is due after at least one hour.")
    prerequisites = tuple(dict.fromkeys(step.prerequisites))
    if len(prerequisites) > MAX_PREREQUISITES:
        raise InvalidInput(f"“{name}” waits for more than {MAX_PREREQUISITES} steps.")
    return replace(
        step,
        name=name,
        content=clean_text(step.content),
        prerequisites=prerequisites,
        settings=_settings(step, name),
    )


def _settings(step: StepDraft, name: str) -> dict[str, Any]:
    given = step.settings if isinstance(step.settings, dict) else {}
    if step.kind == StepKind.CHECKLIST:
        return {"items": _items(given.get("items", []), name)}
    if step.kind == StepKind.FORM:
        return {"fields": _fields(given.get("fields", []), name)}
    if step.kind == StepKind.FILE:
        most = given.get("max_files", 1)
        if type(most) is not int or not 1 <= most <= 20:
            raise InvalidInput(f"“{name}”: between 1 and 20 files.")
        accept = [clean_line(str(one), 20) for one in given.get("accept", []) or []]
        return {"accept": [one for one in accept if one][:20], "max_files": most}
    if step.kind == StepKind.CHAT:
        return {"opening": clean_text(str(given.get("opening", "")))[:4_000]}
    if step.kind == StepKind.AGENT_TASK:
        return {"task": clean_text(str(given.get("task", "")))[:20_000]}
    if step.kind == StepKind.WORKFLOW:
        data = given.get("input", {})
        if not isinstance(data, dict):
            raise InvalidInput(f"“{name}”: the input of a workflow is a JSON object.")
        return {"workflow": clean_line(str(given.get("workflow", "")), 120), "input": data}
    return {}


def _items(given: Any, name: str) -> list[dict[str, str]]:
    if not isinstance(given, list) or len(given) > MAX_CHECKLIST:
        raise InvalidInput(f"“{name}”: a checklist has at most {MAX_CHECKLIST} items.")
    items = []
    for one in given:
        text = clean_line(str(one.get("text", "")) if isinstance(one, dict) else str(one), 300)
        if text:
            known = str(one.get("id", "")) if isinstance(one, dict) else ""
            items.append({"id": _id(known), "text": text})
    return _unique(items, name)


def _fields(given: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(given, list) or len(given) > MAX_FIELDS:
        raise InvalidInput(f"“{name}”: a form has at most {MAX_FIELDS} fields.")
    fields = []
    for one in given:
        if not isinstance(one, dict):
            raise InvalidInput(f"“{name}”: a field of a form is an object.")
        label = clean_line(str(one.get("label", "")), 200)
        if not label:
            continue
        kind = one.get("type", "text")
        if kind not in FIELD_TYPES:
            raise InvalidInput(f"“{name}”: a field is one of {', '.join(FIELD_TYPES)}.")
        choices = [clean_line(str(value), 120) for value in one.get("choices", []) or []][:50]
        choices = [value for value in dict.fromkeys(choices) if value]
        if kind == "choice" and not choices:
            raise InvalidInput(f"“{name}”: please give “{label}” something to choose from.")
        fields.append(
            {
                "id": _id(str(one.get("id", ""))),
                "label": label,
                "type": kind,
                "required": bool(one.get("required", False)),
                "choices": choices if kind == "choice" else [],
            }
        )
    return _unique(fields, name)


def _unique(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    if len({row["id"] for row in rows}) != len(rows):
        raise InvalidInput(f"“{name}”: two of its items have the same id.")
    return rows


def _id(known: str) -> str:
    """Ids stay when texts change, so that what people ticked and answered stays theirs."""
    return known if 0 < len(known) <= 40 and known.isascii() else str(new_id())


def _check_complete(step: StepDraft) -> None:
    needs: dict[str, tuple[Any, str]] = {
        StepKind.CHECKLIST: (step.settings.get("items"), "add an item to the checklist"),
        StepKind.FORM: (step.settings.get("fields"), "add a field to the form"),
        StepKind.CHAT: (step.agent_id, "choose the agent to talk with"),
        StepKind.AGENT_TASK: (step.settings.get("task"), "say what the agent is to do"),
        StepKind.WORKFLOW: (step.settings.get("workflow"), "choose the workflow"),
    }
    there, wanted = needs.get(step.kind, (True, ""))
    if not there:
        raise InvalidInput(f"“{step.name}”: please {wanted}.")
