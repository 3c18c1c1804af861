"""When the demo model calls a tool, with which arguments, and what it says of the result.

A tool is called when the message names it or clearly shares its words. Arguments are taken from the
text by the schema's types and names: enough for tests and demonstrations, no understanding.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents_app.providers.demo.request import DemoRequest, Message, Tool
from agents_app.providers.demo.words import MAX_QUESTION_CHARS, key_words, plain_words

_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|'([^']{2,})'|`([^`]+)`")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_AFTER = re.compile(
    r"\b(?:about|for|in|at|to|on|of|named|called|titled)\s+([^,;!?\n]+)", re.IGNORECASE
)
_PARALLEL = re.compile(r"\b(?:both|in parallel|at the same time|at once|together)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Call:
    """A call to make: the tool's name and its arguments as a JSON object."""

    name: str
    arguments: dict[str, Any]


def current_turn(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages after the last one of a person: calls made and results got for it."""
    last = max((i for i, one in enumerate(messages) if one.role == "user"), default=-1)
    return messages[last + 1 :]


def calls_for(request: DemoRequest) -> list[Call]:
    """The calls to make now; none when the answer should be text."""
    if not request.tools or request.tool_choice == "none":
        return []
    turn = current_turn(request.messages)
    made = {name for message in turn for name in message.calls.values()}
    left = [tool for tool in request.tools if tool.name not in made]
    question = request.question
    if request.tool_choice in {tool.name for tool in left}:
        wanted = [tool for tool in left if tool.name == request.tool_choice]
    else:
        wanted = _named(question, left)
        if not wanted and not made:
            wanted = _matching(question, left, must=request.tool_choice == "required")
    if not _PARALLEL.search(question):
        wanted = wanted[:1]
    return [Call(tool.name, arguments_for(tool, question)) for tool in wanted]


def result_answer(messages: Sequence[Message]) -> str | None:
    """What the tools of this turn returned, as an answer; None when none was called."""
    turn = current_turn(messages)
    names = {call_id: name for message in turn for call_id, name in message.calls.items()}
    results = [message for message in turn if message.role == "tool"]
    if not results:
        return None
    return "\n\n".join(_told(names.get(one.call_id, "the tool"), one.text) for one in results)


def arguments_for(tool: Tool, question: str) -> dict[str, Any]:
    """Arguments for a call, out of the question; optional ones only when they are found."""
    properties = tool.parameters.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    given = _json_object_in(question)
    if given is not None:
        return {name: value for name, value in given.items() if name in properties}
    required = tool.parameters.get("required")
    reader = _ArgumentReader(tool, question[:MAX_QUESTION_CHARS])
    found: dict[str, Any] = {}
    for name, schema in properties.items():
        must = isinstance(required, list) and name in required
        value = reader.value(name, schema if isinstance(schema, Mapping) else {}, must=must)
        if value is not None:
            found[name] = value
    return found


class _ArgumentReader:
    """Hands out the numbers and quoted texts of a question, each to one argument."""

    def __init__(self, tool: Tool, question: str) -> None:
        self._question = question
        self._rest = _PARALLEL.sub(" ", _without_name(tool.name, question))
        self._quoted = [next(filter(None, found.groups())) for found in _QUOTED.finditer(question)]
        self._numbers = _NUMBER.findall(_QUOTED.sub(" ", self._rest))
        self._used_rest = False

    def value(self, name: str, schema: Mapping[str, Any], *, must: bool) -> Any:
        choices = schema.get("enum")
        if isinstance(choices, list) and choices:
            return self._choice(choices, must=must)
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
        return self._text(name, must=must) or (self._question if must else None)

    def _choice(self, choices: Sequence[Any], *, must: bool) -> Any:
        words = set(plain_words(self._question))
        hits = [choice for choice in choices if set(plain_words(str(choice))) <= words]
        return hits[0] if hits else (choices[0] if must else None)

    def _number(self, whole: bool, schema: Mapping[str, Any], *, must: bool) -> int | float | None:
        if self._numbers:
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


def _named(question: str, tools: Sequence[Tool]) -> list[Tool]:
    """Tools whose names stand in the question, in the order they do."""
    lowered = question.lower()
    spoken = " ".join(plain_words(question))
    places: list[tuple[int, Tool]] = []
    for tool in tools:
        place = lowered.find(tool.name.lower())
        words = " ".join(_name_words(tool.name))
        if place < 0 and " " in words and words in spoken:
            place = spoken.find(words)
        if place >= 0 and (" " in words or re.search(r"\b(?:use|call|run|tool)\b", lowered)):
            places.append((place, tool))
    return [tool for _, tool in sorted(places, key=lambda item: item[0])]


def _matching(question: str, tools: Sequence[Tool], *, must: bool) -> list[Tool]:
    """The tool that shares most words with the question; one word of its name must be there."""
    asked = set(key_words(question))
    scored: list[tuple[float, Tool]] = []
    for tool in tools:
        in_name = asked & set(key_words(" ".join(_name_words(tool.name))))
        in_description = asked & set(key_words(tool.description))
        score = 2.0 * len(in_name) + len(in_description - in_name)
        named = in_name == set(key_words(" ".join(_name_words(tool.name))))
        if must or (in_name and (named or score >= 3)):
            scored.append((score, tool))
    return [max(scored, key=lambda item: item[0])[1]] if scored else []


def _phrase(text: str) -> str:
    """A value out of a sentence: without what comes after it and without the verb before it."""
    text = re.split(r"\s+(?:with|and|then)\s+", text.strip(), maxsplit=1)[0]
    text = re.sub(r"^(?:to\s+)?(?:find|search|look up|fetch)\s+(?:for\s+)?", "", text, flags=re.I)
    return text.strip(" .?!:,")


def _name_words(name: str) -> list[str]:
    """`searchKnowledge` and `search_knowledge` are both ["search", "knowledge"]."""
    return plain_words(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " "))


def _without_name(name: str, question: str) -> str:
    pattern = r"(?:\b(?:please|use|call|run|with|the|tool)\s+)*" + re.escape(name) + r"(?:\s+tool)?"
    return re.sub(pattern, " ", question, flags=re.IGNORECASE).strip()


def _json_object_in(text: str) -> dict[str, Any] | None:
    start, end = text.find("{"), text.rfind("}")
    if not 0 <= start < end:
        return None
    try:
        value = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _told(name: str, text: str) -> str:
    if text.lower().startswith("error"):
        return f"The tool `{name}` reported a problem:\n\n> {' '.join(text.split())}"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    lines = list(_lines(value))
    return f"Here is what `{name}` returned:\n\n" + "\n".join(lines or ["- nothing"])


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield f"- **{name}:** {_short(item)}"
    elif isinstance(value, list):
        for item in value[:20]:
            yield f"- {_short(item)}"
    else:
        yield str(value)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split())
