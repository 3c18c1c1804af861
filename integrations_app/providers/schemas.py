"""JSON schemas that strangers wrote: made whole, bounded, and safe to check arguments with. Pure.

References are resolved inside the document alone, cycles and sizes are refused, and what could
keep a processor busy (regular expressions of others) is left to whoever wrote it.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry

from one_project.common.text import clean_json, is_plain_json

MAX_BYTES: Final = 32 * 1024
MAX_DEPTH: Final = 24
MAX_NODES: Final = 4_000
# Not for the check: what others' expressions cost nobody knows, and formats are not promises.
_UNCHECKED: Final = ("pattern", "patternProperties", "format")
# They look up by name what is whole once references are resolved, or lead elsewhere.
_NAMES: Final = ("$ref", "$dynamicRef", "$recursiveRef", "$id", "$anchor", "$dynamicAnchor")
_TABLES: Final = ("$defs", "definitions", "components")


class SchemaRefused(ValueError):
    """The schema cannot be used; the text says why, for people."""


def resolved(schema: Any, root: Mapping[str, Any]) -> Any:
    """``schema`` with every reference into ``root`` replaced by what it names.

    Raises SchemaRefused for references elsewhere, cycles, and what is too deep or too large.
    """
    return _Resolving(root).of(schema, (), 0)


class _Resolving:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._nodes = 0

    def of(self, value: Any, within: tuple[str, ...], depth: int) -> Any:
        self._nodes += 1
        if depth > MAX_DEPTH * 2 or self._nodes > MAX_NODES:
            raise SchemaRefused("Its arguments are described too deeply or at too great length.")
        if isinstance(value, list):
            return [self.of(one, within, depth + 1) for one in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if not isinstance(reference, str):
            return {
                str(key): self.of(one, within, depth + 1)
                for key, one in value.items()
                # A property may be called like one of these tables; then it is no list of schemas.
                if not (key in _TABLES and depth == 0)
            }
        if reference in within:
            raise SchemaRefused("Its arguments are described by themselves, in a circle.")
        found = self.of(_named(reference, self._root), (*within, reference), depth + 1)
        beside = {key: one for key, one in value.items() if key != "$ref"}
        if not beside or not isinstance(found, dict):
            return found
        return {**found, **self.of(beside, within, depth + 1)}


def _named(reference: str, root: Mapping[str, Any]) -> Any:
    if not reference.startswith("#"):
        raise SchemaRefused("It refers to another document.")
    found: Any = root
    for part in filter(None, reference[1:].split("/")):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict) and name in found:
            found = found[name]
        else:
            raise SchemaRefused("It refers to something that is not there.")
    return found


def tool_schema(schema: Any) -> dict[str, Any]:
    """The arguments of a tool as one whole JSON schema of type object, as a model is given it.

    Raises SchemaRefused.
    """
    if not isinstance(schema, dict):
        raise SchemaRefused("Its arguments are not described.")
    whole = clean_json(resolved(schema, schema))
    whole = {key: one for key, one in whole.items() if key not in (*_NAMES, "$schema")}
    if whole.setdefault("type", "object") != "object":
        raise SchemaRefused("Its arguments are no object.")
    whole.setdefault("properties", {})
    if not isinstance(whole["properties"], dict):
        raise SchemaRefused("Its arguments are described in an unknown form.")
    if not is_plain_json(whole) or _size(whole) > MAX_BYTES:
        raise SchemaRefused(f"The description of its arguments is larger than {MAX_BYTES:,} bytes.")
    try:
        Draft202012Validator.check_schema(_checkable(whole))
    except (SchemaError, RecursionError) as error:
        raise SchemaRefused("Its arguments are described in an unknown form.") from error
    return whole


def check_arguments(schema: Mapping[str, Any], arguments: Any) -> Any:
    """``arguments``, when they fit. Raises ValueError in words for the model."""
    text = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    try:
        problems = sorted(
            _validator(text).iter_errors(arguments), key=lambda one: list(map(str, one.path))
        )
    except RecursionError:
        raise ValueError("Invalid arguments. They are nested too deeply.") from None
    if problems:
        raise ValueError("Invalid arguments. " + "; ".join(map(_said, problems[:10])))
    return arguments


@lru_cache(maxsize=256)
def _validator(text: bytes) -> Draft202012Validator:
    # An empty registry: nothing is ever fetched for a check.
    return Draft202012Validator(_checkable(orjson.loads(text)), registry=Registry())


def _checkable(schema: Any) -> Any:
    """Without what is not checked here. Keywords only: a property may be called ``pattern``."""
    if isinstance(schema, list):
        return [_checkable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, one in schema.items():
        if key in (*_UNCHECKED, *_NAMES):
            continue
        if key == "properties" and isinstance(one, dict):
            kept[key] = {name: _checkable(each) for name, each in one.items()}
        elif key in ("enum", "const", "default", "examples", "example"):
            kept[key] = one
        else:
            kept[key] = _checkable(one)
    return kept


def _said(problem: ValidationError) -> str:
    place = ".".join(str(part) for part in problem.absolute_path) or "arguments"
    return f"{place}: {problem.message[:200]}"


def _size(value: Any) -> int:
    return len(orjson.dumps(value))
