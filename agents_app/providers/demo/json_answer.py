"""A JSON answer that fits a schema, filled from the conversation's words. Deterministic."""

from collections.abc import Mapping
from typing import Any

from agents_app.providers.demo.words import key_words, shortened

MAX_DEPTH = 12


def json_for(schema: Mapping[str, Any], text: str) -> Any:
    """A value for the schema: strings come from `text`, numbers are the least allowed."""
    return _value(schema, text, schema, "answer", 0)


def _value(
    schema: Mapping[str, Any], text: str, root: Mapping[str, Any], name: str, depth: int
) -> Any:
    schema = _resolved(schema, root)
    if depth > MAX_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return _choice(choices, text)
    kind = _kind(schema)
    if kind == "object":
        return _object(schema, text, root, depth)
    if kind == "array":
        items = schema.get("items")
        least = schema.get("minItems")
        count = max(1, least) if isinstance(least, int) else 1
        inner = items if isinstance(items, Mapping) else {}
        return [_value(inner, text, root, name, depth + 1) for _ in range(min(count, 50))]
    return _scalar(kind, schema, text)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow `$ref` and take the first way of `anyOf` and `oneOf`, a few times at most."""
    for _ in range(MAX_DEPTH):
        ways = schema.get("anyOf") or schema.get("oneOf")
        reference = schema.get("$ref")
        if isinstance(reference, str):
            found: Any = root
            for step in reference.removeprefix("#/").split("/"):
                found = found.get(step) if isinstance(found, Mapping) else None
            schema = found if isinstance(found, Mapping) else {}
        elif isinstance(ways, list) and ways and isinstance(ways[0], Mapping):
            schema = ways[0]
        else:
            break
    return schema


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "string"


def _object(
    schema: Mapping[str, Any], text: str, root: Mapping[str, Any], depth: int
) -> dict[str, Any]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {"answer": shortened(text, 200)} if depth == 0 else {}
    return {
        name: _value(inner if isinstance(inner, Mapping) else {}, text, root, name, depth + 1)
        for name, inner in properties.items()
    }


def _choice(choices: list[Any], text: str) -> Any:
    words = set(key_words(text))
    hits = [choice for choice in choices if words & set(key_words(str(choice)))]
    return hits[0] if hits else choices[0]


def _scalar(kind: str, schema: Mapping[str, Any], text: str) -> Any:
    if kind in ("integer", "number"):
        least = schema.get("minimum", 1)
        return least if isinstance(least, int | float) else 1
    if kind in ("boolean", "null"):
        return True if kind == "boolean" else None
    limit = schema.get("maxLength", 200)
    return shortened(text, limit if isinstance(limit, int) and limit > 0 else 200)
