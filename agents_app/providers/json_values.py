"""JSON round trip for the frozen dataclasses of this package.

Not a general serialiser: fields hold JSON values, `bytes` (written as base64) and nothing else.
Every class names itself in a `"type"` field. A class whose shape changes gets a new type name, so
what is stored under the old name stays readable.
"""

import base64
import binascii
import types
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any, ClassVar, Literal, Self, TypeVar, Union, cast, get_args, get_origin


class JsonValue:
    """Base of a frozen dataclass that is stored as `{"type": tag, field: value, ...}`.

    Fields at None are left out where None is their default. Subclasses set `tag`.
    """

    __slots__ = ()
    tag: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON values; `from_json` gives an equal object back."""
        out: dict[str, Any] = {"type": self.tag}
        for field in _fields_of(type(self)):
            value = getattr(self, field.name)
            if isinstance(value, bytes):
                value = base64.b64encode(value).decode("ascii")
            if value is not None or field.default is not None:
                out[field.name] = value
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build from what `to_json` returned.

        Unknown fields are ignored (a newer writer may add some). Raises ValueError when the type
        name differs, a field is missing or a value has the wrong kind.
        """
        if data.get("type") != cls.tag:
            raise ValueError(f"expected type {cls.tag!r}, got {data.get('type')!r}")
        return cls(**dict(_read_fields(cls, data)))


Value = TypeVar("Value", bound=JsonValue)


def read_tagged(data: object, classes: Mapping[str, type[Value]], what: str) -> Value:
    """Build the one of `classes` (type name to class) that `data` names.

    Raises ValueError when `data` is no object or its type is unknown; `what` is for the message.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"{what}: expected an object, got {type(data).__name__}")
    found = classes.get(str(data.get("type")))
    if found is None:
        raise ValueError(f"{what}: unknown type {data.get('type')!r}")
    return found.from_json(data)


def _fields_of(cls: type) -> tuple[Field[Any], ...]:
    return fields(cast(Any, cls))


def _read_fields(cls: type[JsonValue], data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for field in _fields_of(cls):
        if field.name in data:
            allowed = _runtime_types(cast(Hashable, field.type))
            yield field.name, _checked(cls.tag, field.name, data[field.name], allowed)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{cls.tag}: field {field.name!r} is missing")


def _checked(tag: str, name: str, value: Any, allowed: tuple[type, ...]) -> Any:
    if bytes in allowed and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise ValueError(f"{tag}: field {name!r} is not base64") from error
    # bool is an int to Python but not to JSON.
    wrong_bool = isinstance(value, bool) and bool not in allowed and object not in allowed
    if wrong_bool or not isinstance(value, allowed):
        raise ValueError(f"{tag}: field {name!r} cannot be {type(value).__name__}")
    return value


@cache
def _runtime_types(hint: Hashable) -> tuple[type, ...]:
    """The classes an `isinstance` check may use for a type hint; Any becomes `object`."""
    if hint is Any:
        return (object,)
    origin = get_origin(hint)
    if origin is Literal:
        return tuple({type(choice) for choice in get_args(hint)})
    if origin in (Union, types.UnionType):
        return tuple(cls for member in get_args(hint) for cls in _runtime_types(member))
    return (cast(type, origin or hint),)
