"""What each kind of step is told: cleaned, or refused in words. Shapes: see ``FlowStep``."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from flows_app.conf import MAX_CHECKLIST, MAX_FIELDS
from flows_app.models import StepKind
from one_project.common.errors import InvalidInput
from one_project.common.ids import new_id
from one_project.common.text import JSON_LIMITS, clean_json, clean_line, clean_text, is_plain_json

FIELD_TYPES: Final = ("text", "long", "number", "date", "choice", "check")
MAX_FILES: Final = 20
MAX_ITEM: Final = 300
MAX_LABEL: Final = 200
MAX_CHOICES: Final = 50
MAX_CHOICE: Final = 120
MAX_ENDINGS: Final = 20
MAX_OPENING: Final = 4_000
MAX_TASK: Final = 20_000
_ENDING = re.compile(r"\.?[a-z0-9]{1,10}", re.ASCII)


def clean_settings(kind: str, settings: Any, name: str) -> dict[str, Any]:
    """The settings of a step of this kind and nothing else. Raises InvalidInput naming the step."""
    given = settings if isinstance(settings, dict) else {}
    clean = _CLEANED.get(kind)
    try:
        return clean(given) if clean else {}
    except InvalidInput as error:
        raise InvalidInput(f"“{name}”: {error.user_message}") from error


def _checklist(given: Mapping[str, Any]) -> dict[str, Any]:
    rows = given.get("items", [])
    if not isinstance(rows, list) or len(rows) > MAX_CHECKLIST:
        raise InvalidInput(f"a checklist has at most {MAX_CHECKLIST} items.")
    items = []
    for one in rows:
        text = clean_line(one.get("text", "") if isinstance(one, dict) else one, MAX_ITEM)
        if text:
            known = str(one.get("id", "")) if isinstance(one, dict) else ""
            items.append({"id": _id(known), "text": text})
    return {"items": _unique(items)}


def _form(given: Mapping[str, Any]) -> dict[str, Any]:
    rows = given.get("fields", [])
    if not isinstance(rows, list) or len(rows) > MAX_FIELDS:
        raise InvalidInput(f"a form has at most {MAX_FIELDS} fields.")
    return {"fields": _unique([field for one in rows if (field := _field(one))])}


def _field(one: Any) -> dict[str, Any] | None:
    if not isinstance(one, dict):
        raise InvalidInput("a field of a form is an object.")
    label = clean_line(one.get("label", ""), MAX_LABEL)
    if not label:
        return None
    kind = one.get("type", "text")
    if kind not in FIELD_TYPES:
        raise InvalidInput(f"a field is one of {', '.join(FIELD_TYPES)}.")
    choices = [clean_line(value, MAX_CHOICE) for value in _list(one.get("choices"))[:MAX_CHOICES]]
    choices = [value for value in dict.fromkeys(choices) if value]
    if kind == "choice" and not choices:
        raise InvalidInput(f"please give “{label}” something to choose from.")
    return {
        "id": _id(str(one.get("id", ""))),
        "label": label,
        "type": kind,
        "required": bool(one.get("required", False)),
        "choices": choices if kind == "choice" else [],
    }


def _file(given: Mapping[str, Any]) -> dict[str, Any]:
    most = given.get("max_files", 1)
    if type(most) is not int or not 1 <= most <= MAX_FILES:
        raise InvalidInput(f"between 1 and {MAX_FILES} files.")
    accept = []
    for one in _list(given.get("accept"))[:MAX_ENDINGS]:
        ending = clean_line(one, 20).lower()
        if ending and not _ENDING.fullmatch(ending):
            raise InvalidInput(f"“{ending}” is no file ending like .pdf.")
        if ending:
            accept.append(f".{ending.removeprefix('.')}")
    return {"accept": list(dict.fromkeys(accept)), "max_files": most}


def _chat(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"opening": clean_text(given.get("opening", ""))[:MAX_OPENING]}


def _agent_task(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"task": clean_text(given.get("task", ""))[:MAX_TASK]}


def _workflow(given: Mapping[str, Any]) -> dict[str, Any]:
    data = given.get("input", {})
    if not isinstance(data, dict):
        raise InvalidInput("the input of a workflow is a JSON object.")
    if not is_plain_json(data):
        raise InvalidInput(f"the input of a workflow is plain JSON {JSON_LIMITS}.")
    return {"workflow": clean_line(given.get("workflow", ""), 120), "input": clean_json(data)}


_CLEANED: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    StepKind.CHECKLIST: _checklist,
    StepKind.FORM: _form,
    StepKind.FILE: _file,
    StepKind.CHAT: _chat,
    StepKind.AGENT_TASK: _agent_task,
    StepKind.WORKFLOW: _workflow,
}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _unique(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len({row["id"] for row in rows}) != len(rows):
        raise InvalidInput("two of its items have the same id.")
    return rows


def _id(known: str) -> str:
    """Ids stay when texts change, so that what people ticked and answered stays theirs."""
    return (
        known if 0 < len(known) <= 40 and known.isascii() and known.isprintable() else str(new_id())
    )
