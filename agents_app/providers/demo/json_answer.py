"""A JSON answer that fits a schema, filled from the conversation's words. Deterministic."""

from collections.abc import Mapping
from typing import Any

from agents_app.providers.demo.words import key_words, plain_words, shortened

MAX_DEPTH = 12
MAX_GIVEN = 50_000  # characters of the conversation that choices are looked for in


def json_for(schema: Mapping[str, Any], text: str, given: str = "") -> Any:
    """A value for the schema: strings come from `text`, numbers are the least allowed.

    Of several choices it takes the one that shares most words with the text, by its name and by
    the lines of `given` (all messages) that name it: so a router finds the agent that is described.
    """
    return _Filler(schema, text, given[:MAX_GIVEN]).value(schema, 0)


class _Filler:
    def __init__(self, root: Mapping[str, Any], text: str, given: str) -> None:
        self._root = root
        self._text = text
        self._lines = [(line, f" {' '.join(plain_words(line))} ") for line in given.split("\n")]

    def value(self, schema: Mapping[str, Any], depth: int) -> Any:
        schema = self._resolved(schema)
        if depth > MAX_DEPTH:
            return None
        if "const" in schema:
            return schema["const"]
        choices = schema.get("enum")
        if isinstance(choices, list) and choices:
            return self._choice(choices)
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            items = schema.get("items")
            least = schema.get("minItems")
            count = max(1, least) if isinstance(least, int) else 1
            inner = items if isinstance(items, Mapping) else {}
            return [self.value(inner, depth + 1) for _ in range(min(count, 50))]
        return _scalar(kind, schema, self._text)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow `$ref` and take the first way of `anyOf` and `oneOf`, a few times at most."""
        for _ in range(MAX_DEPTH):
            ways = schema.get("anyOf") or schema.get("oneOf")
            reference = schema.get("$ref")
            if isinstance(reference, str):
                found: Any = self._root
                for step in reference.removeprefix("#/").split("/"):
                    found = found.get(step) if isinstance(found, Mapping) else None
                schema = found if isinstance(found, Mapping) else {}
            elif isinstance(ways, list) and ways and isinstance(ways[0], Mapping):
                schema = ways[0]
            else:
                break
        return schema

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        if not isinstance(properties, Mapping):
            return {"answer": shortened(self._text, 200)} if depth == 0 else {}
        return {
            name: self.value(inner if isinstance(inner, Mapping) else {}, depth + 1)
            for name, inner in properties.items()
        }

    def _choice(self, choices: list[Any]) -> Any:
        names = [f" {' '.join(plain_words(str(choice)))} " for choice in choices]
        # A list of the choices in the question itself is not what is asked.
        asked = set(key_words("\n".join(self._without(names)))) or set(key_words(self._text))
        best, best_score = choices[0], 0.0
        for choice, name in zip(choices, names, strict=True):
            described = {
                word
                for line, plain in self._lines
                if name.strip() and name in plain and line not in self._text
                for word in key_words(line)
            }
            described |= self._described_in_text(name)
            own = set(key_words(str(choice)))
            score = 2.0 * len(asked & own) + len(asked & (described - own))
            if score > best_score:
                best, best_score = choice, score
        return best

    def _described_in_text(self, name: str) -> set[str]:
        lines = self._text.split("\n")
        if len(lines) < 2 or not name.strip():
            return set()
        found = (line for line in lines if name in f" {' '.join(plain_words(line))} ")
        return {word for line in found for word in key_words(line)}

    def _without(self, names: list[str]) -> list[str]:
        lines = self._text.split("\n")
        if len(lines) < 2:
            return lines
        return [
            line
            for line in lines
            if not any(
                name.strip() and name in f" {' '.join(plain_words(line))} " for name in names
            )
        ]


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "string"


def _scalar(kind: str, schema: Mapping[str, Any], text: str) -> Any:
    if kind in ("integer", "number"):
        least = schema.get("minimum", 1)
        return least if isinstance(least, int | float) else 1
    if kind in ("boolean", "null"):
        return True if kind == "boolean" else None
    limit = schema.get("maxLength", 200)
    return shortened(text, limit if isinstance(limit, int) and limit > 0 else 200)
