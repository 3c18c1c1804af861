"""Options typed as JSON: read, or said what is wrong with them, field by field."""

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from agents_app.errors import InvalidFields
from agents_app.types import AgentOptions, ContextOptions
from one_project.common.text import (
    JSON_LIMITS,
    clean_json,
    clean_line,
    clean_text,
    is_plain_json,
)

MAX_MODELS = 6
LONGEST_JSON = 20_000
SYSTEM_LIMIT = 100_000
# They have fields of their own beside the editor.
ELSEWHERE = {"model", "instructions", "context"}
STORAGE_OFF = (
    "storage: a trial keeps nothing in the thread. Tick “Save to thread” to have it answered there."
)


def read_models(text: str) -> list[str]:
    """Names by comma or line, each once. Empty: the agent's own. Raises InvalidFields."""
    names = [clean_line(name, 121) for name in clean_text(text).replace(",", "\n").split("\n")]
    found = list(dict.fromkeys(name for name in names if name))
    if len(found) > MAX_MODELS:
        raise InvalidFields({"models": f"At most {MAX_MODELS} models can be asked at once."})
    if any(len(name) > 120 for name in found):
        raise InvalidFields({"models": "The name of a model has at most 120 characters."})
    return found


def read_call_options(
    *, context: str, options: str, system: str | None, save: bool
) -> AgentOptions:
    """The options of one call from the editors' texts; an empty editor says nothing.

    ``system`` None: the agent's own. Raises InvalidFields naming each editor that is wrong.
    """
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    told_context = _read(context, ContextOptions, "context", problems)
    told = _read(options, AgentOptions, "options", problems)
    if twice := ELSEWHERE & told.keys():
        named = ", ".join(sorted(twice))
        problems.setdefault("options", f"{named}: please use the field of its own.")
    if not save and told.get("storage", "none") != "none":
        problems.setdefault("options", STORAGE_OFF)
    if system is not None and len(system) > SYSTEM_LIMIT:
        problems["system"] = f"At most {SYSTEM_LIMIT:,} characters."
    if problems:
        raise InvalidFields(problems)
    values |= told
    if context.strip():
        values["context"] = told_context
    if system is not None:
        values["instructions"] = clean_text(system)
    if save and values.get("storage", "none") == "none":
        values["storage"] = "prompt_and_output"
    return AgentOptions.model_validate(values)


def dump_options(options: AgentOptions) -> dict[str, Any]:
    """What is said, as JSON to keep."""
    kept: dict[str, Any] = options.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return kept


def editable(value: Mapping[str, Any] | BaseModel) -> str:
    """JSON as the editors show it."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else dict(value)
    return orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode()


def _read(text: str, kind: type[BaseModel], field: str, problems: dict[str, str]) -> dict[str, Any]:
    """The JSON object that was typed, if it is a ``kind``; else ``problems`` says why not."""
    text = clean_text(text).strip()
    if not text:
        return {}
    if len(text) > LONGEST_JSON:
        problems[field] = f"At most {LONGEST_JSON:,} characters."
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        problems[field] = f"This is no JSON: {error.msg}, line {error.lineno}."
        return {}
    if not is_plain_json(found):
        problems[field] = f"This is no JSON that can be used {JSON_LIMITS}."
        return {}
    value = clean_json(found)
    if not isinstance(value, dict):
        problems[field] = "Please write one JSON object: { … }."
        return {}
    try:
        kind.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)[:5]
        problems[field] = " ".join(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}." for one in found
        )
        return {}
    return value
