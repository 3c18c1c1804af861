"""Arguments of a tool call, out of what a person wrote.

By the schema's types and names, and by rules for the names our own tools use: enough for tests and
demonstrations, no understanding.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from zoneinfo import available_timezones

from agents_app.providers.demo import document, searching, sending
from agents_app.providers.demo.arithmetic import sum_in
from agents_app.providers.demo.request import Tool
from agents_app.providers.demo.words import plain_words

_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|'([^']{2,})'|`([^`]+)`")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_AFTER = re.compile(
    r"\b(?:about|for|in|at|to|on|of|named|called|titled)\s+([^,;!?\n]+)", re.IGNORECASE
)
PARALLEL = re.compile(r"\b(?:both|in parallel|at the same time|at once|together)\b", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"'“”`]+")
_CITY = re.compile(r"\b(?:in|for|of|at)\s+(?:the\s+)?([^,;!?\n]+)", re.IGNORECASE)
_TITLED = re.compile(
    r"\b(?:task|to-?do|reminder)\b\s*(?:(?:to|called|titled|named|for|about|that says)\b|:|-)?\s*"
    r"([^\n;]+)|\bremind me to\s+([^\n;]+)",
    re.IGNORECASE,
)
_RENAMED = re.compile(
    r"\b(?:title|thread|chat|conversation|this)\b\s+(?:to|as|:)?\s*([^\n;]+)", re.IGNORECASE
)
_BECAUSE = re.compile(r"\b(?:about|because(?: of)?|regarding|for|as|since)\s+(.+)", re.IGNORECASE)
_ASKED = re.compile(
    r"\bask\s+(?:me|the user|a person|a human|someone|them|us)\b\s*(?:(?:for|about)\s+)?(.+)",
    re.IGNORECASE,
)
# "delegate to Ada: the task", "ask the Billing agent to do it", "have Ada write it".
_TO_AGENT = re.compile(
    r"\b(?:delegate|hand|forward|give|pass|send|ask|have|let)\b(?P<before>[^:;\n]{0,200}?)"
    r"(?:\b(?:to|over to)\s+)?\b(?:the\s+)?"
    r"(?P<agent>[A-Z][\w-]*(?:\s+[A-Z][\w-]*){0,3}|[\w-]+(?=\s+agent\b))"
    r"(?:\s+agent)?\s*(?::|,|\bto\b|\babout\b|\bwith\b|$)?\s*(?P<task>.*)",
    re.DOTALL,
)
_TO_SAY = re.compile(r"(?::|\bthat\b|\bsaying\b)\s*(.+)", re.IGNORECASE | re.DOTALL)
_NO_TASK = {"", "this", "it", "that"}


def arguments_for(tool: Tool, part: str, question: str) -> dict[str, Any]:
    """Arguments out of the part of the question that is meant for the tool.

    Where that only names the tool, the whole question is read. Optional ones only when found.
    """
    properties = tool.parameters.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    given = json_object_in(part)
    if given is not None:
        return {name: value for name, value in given.items() if name in properties}
    required = tool.parameters.get("required")
    reader = _Reader(tool, part if _says_more(tool, part) else question)
    found: dict[str, Any] = {}
    for name, schema in properties.items():
        must = isinstance(required, list) and name in required
        value = reader.value(name, schema if isinstance(schema, Mapping) else {}, must=must)
        if value is not None:
            found[name] = value
    return found


def json_object_in(text: str) -> dict[str, Any] | None:
    """The JSON object that stands in a text, or None."""
    start, end = text.find("{"), text.rfind("}")
    if not 0 <= start < end:
        return None
    try:
        value = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def name_words(name: str) -> list[str]:
    """`searchKnowledge` and `search_knowledge` are both ["search", "knowledge"]."""
    return plain_words(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " "))


class _Reader:
    """Hands out the numbers and quoted texts of a question, each to one argument."""

    def __init__(self, tool: Tool, question: str) -> None:
        self._tool = sending.kind_of(tool.name, tool.parameters.get("properties", ()))
        self._question = question
        self._plain = PARALLEL.sub(" ", question)
        self._rest = PARALLEL.sub(" ", _without_name(tool.name, question))
        self._quoted = [next(filter(None, found.groups())) for found in _QUOTED.finditer(question)]
        self._numbers = _NUMBER.findall(_QUOTED.sub(" ", self._rest))
        self._used_rest = False

    def value(self, name: str, schema: Mapping[str, Any], *, must: bool) -> Any:
        choices = schema.get("enum")
        if isinstance(choices, list) and choices:
            return self._choice(choices, must=must)
        known = _KNOWN.get((self._tool, name)) or _BY_NAME.get(name)
        found = known(self._plain) if known else None
        if found:
            return found if isinstance(found, bool) else found[: _limit(schema)]
        if "default" in schema and not must:
            return None
        kind = schema.get("type")
        kind = (
            next((one for one in kind if one != "null"), None) if isinstance(kind, list) else kind
        )
        if kind in ("integer", "number"):
            return self._number(kind == "integer", schema, must=must)
        if kind == "boolean":
            return self._boolean(name, must=must)
        if kind == "array":
            items = [item.strip() for item in self._text(name, must=must).split(",")]
            return [item for item in items if item] or ([] if must else None)
        if kind == "object":
            return {} if must else None
        text = self._text(name, must=must) or (self._question if must else None)
        return text and text[: _limit(schema)]

    def _choice(self, choices: Sequence[Any], *, must: bool) -> Any:
        words = set(plain_words(self._question))
        hits = [choice for choice in choices if set(plain_words(str(choice))) <= words]
        return hits[0] if hits else (_which(self._question, choices) if must else None)

    def _number(self, whole: bool, schema: Mapping[str, Any], *, must: bool) -> int | float | None:
        if self._numbers and (must or not self._tool.startswith("search")):
            value = float(self._numbers.pop(0))
            return int(value) if whole or value.is_integer() else value
        least = schema.get("minimum", 1)
        return least if must and isinstance(least, int | float) else None

    def _boolean(self, name: str, *, must: bool) -> bool | None:
        words = set(plain_words(self._question))
        if words & {"no", "not", "false", "without"}:
            return False
        named = set(plain_words(name.replace("_", " "))) <= words
        return True if named or words & {"true", "yes"} else (False if must else None)

    def _text(self, name: str, *, must: bool) -> str:
        spoken = re.escape(name.replace("_", " ")).replace(r"\ ", r"[\s_]")
        labelled = re.search(
            rf"\b{spoken}(?:d|ed)?\b\s*(?:is|=|:|to)?\s*[\"“']?([^,;\"”'\n]+)",
            self._rest,
            re.IGNORECASE,
        )
        if labelled and labelled[1].strip(" .?!"):
            return _phrase(labelled[1])
        if self._quoted:
            return str(self._quoted.pop(0))
        if not must or self._used_rest:
            return ""
        self._used_rest = True
        after = _AFTER.search(self._rest)
        return _phrase(after[1] if after else self._rest)


def _limit(schema: Mapping[str, Any]) -> int:
    most = schema.get("maxLength")
    return most if isinstance(most, int) and most > 0 else 8_000


def _says_more(tool: Tool, part: str) -> bool:
    rest = set(plain_words(PARALLEL.sub(" ", _without_name(tool.name, part))))
    return bool(rest - set(name_words(tool.name)) - {"use", "call", "run", "and", "then", "the"})


def _phrase(text: str) -> str:
    """A value out of a sentence: without what comes after it and without the verb before it."""
    text = re.split(r"\s+(?:with|and|then)\s+", text.strip(), maxsplit=1)[0]
    text = re.sub(r"^(?:to\s+)?(?:find|search|look up|fetch)\s+(?:for\s+)?", "", text, flags=re.I)
    return text.strip(" .?!:,")


def _without_name(name: str, question: str) -> str:
    pattern = r"(?:\b(?:please|use|call|run|with|the|tool)\s+)*" + re.escape(name) + r"(?:\s+tool)?"
    return re.sub(pattern, " ", question, flags=re.IGNORECASE).strip()


def _quoted(question: str) -> str:
    found = _QUOTED.search(question)
    return next(filter(None, found.groups())) if found else ""


def _title(question: str) -> str:
    found = _TITLED.search(question)
    if _quoted(question) or found is None:
        return _quoted(question)
    text = found[1] or found[2]
    text = re.sub(r"^(?:called|titled|named|to)\s+", "", text, flags=re.IGNORECASE)
    return re.split(r",?\s+with\s+", text, maxsplit=1)[0].strip(" .?!:,")


def _thread_title(question: str) -> str:
    found = _RENAMED.search(question)
    while found and (again := _RENAMED.search(found[1])):
        found = again
    return _quoted(question) or (found[1].strip(" .?!:,") if found else "")


def _priority(question: str) -> str:
    words = set(plain_words(question))
    if words & {"urgent", "urgently", "important", "asap", "high"}:
        return "high"
    return "low" if "low" in words else ""


def _question_to_person(question: str) -> str:
    found = _ASKED.search(question)
    text = (found[1] if found else question).strip(" .,:")
    return text[:1].upper() + text[1:].rstrip("?") + "?" if text else ""


def _reason(question: str) -> str:
    found = _BECAUSE.search(question)
    return (found[1] if found else question).strip(" .,:")


def _agent(question: str) -> str:
    found = _TO_AGENT.search(question)
    return found["agent"].strip() if found else ""


def _task(question: str) -> str:
    found = _TO_AGENT.search(question)
    if found is None:
        return question
    after, before = found["task"].strip(" .,:"), found["before"].strip(" .,:")
    before = re.sub(r"\s*\b(?:over|to|the)$", "", before).strip()
    for text in (after, before):
        if text.lower() not in _NO_TASK:
            return text
    return question


def _to_say(question: str) -> str:
    found = _TO_SAY.search(question)
    return _quoted(question) or (found[1].strip() if found else "")


def _city(question: str) -> str:
    found = _CITY.search(question)
    text = re.sub(r"\b(?:today|now|tomorrow|right now|please)\b", "", found[1]) if found else ""
    return _phrase(text)


def _url(question: str) -> str:
    found = _URL.search(question)
    return found[0].rstrip(".,;:!?)") if found else ""


@lru_cache(maxsize=1)
def _zones() -> Mapping[str, str]:
    """Zones by the name of their city, in lower case."""
    names = sorted(name for name in available_timezones() if name.count("/") == 1)
    return {name.split("/")[1].replace("_", " ").lower(): name for name in reversed(names)}


def _zone(question: str) -> str:
    named = re.search(r"\b[A-Z]\w+/[A-Z]\w+\b", question)
    if named:
        return named[0]
    words = plain_words(question)
    pairs = [" ".join(words[start : start + 2]) for start in range(len(words) - 1)]
    return next((_zones()[one] for one in (*pairs, *words) if one in _zones()), "")


def _which(question: str, choices: Sequence[Any]) -> Any:
    """Of the choices, what a question about oneself, the organisation or the agent means."""
    words = set(plain_words(question))
    for choice, signs in (
        ("user", {"i", "me", "my", "am"}),
        ("group", {"organisation", "organization", "company", "members", "teams", "we"}),
        ("agent", {"you", "your", "tools"}),
    ):
        if choice in choices and words & signs:
            return choice
    return choices[0]


_Rule = Callable[[str], str | bool]
_BY_NAME: Final[Mapping[str, _Rule]] = {
    "expression": lambda question: sum_in(question) or "",
    "url": _url,
    "timezone": _zone,
    "city": _city,
    "priority": _priority,
}
_KNOWN: Final[Mapping[tuple[str, str], _Rule]] = {
    ("create_task", "title"): _title,
    ("update_thread_title", "title"): _thread_title,
    ("ask_human", "question"): _question_to_person,
    ("call_human", "reason"): _reason,
    ("delegate_to_agent", "agent"): _agent,
    ("delegate_to_agent", "task"): _task,
    ("post_webhook", "text"): _to_say,
    **sending.RULES,
    ("search_knowledge", "query"): searching.asked_of_documents,
    ("search_messages", "other_threads"): searching.asks_of_all_threads,
    ("rewrite_canvas", "text"): document.written,
    ("edit_canvas", "old_text"): document.replaced,
    ("edit_canvas", "new_text"): document.replacement,
}
