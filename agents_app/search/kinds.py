"""What has vectors: a registry that the app owning the items fills in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EmbeddedText:
    """An item's text as it is embedded, and the hash that names it."""

    item_id: UUID
    text: str
    content_hash: str


ReadTexts: TypeAlias = Callable[[UUID, Sequence[UUID]], list[EmbeddedText]]
# What to do after vectors of these items have been stored, within the same transaction.
AfterStored: TypeAlias = Callable[[UUID, Sequence[UUID]], None]


@dataclass(frozen=True, slots=True)
class EmbeddedKind:
    """Items of one kind. vectors: their table of vectors; items: their own table, with columns
    ``organisation_id``, ``content_hash`` and ``meta``; read: the texts of some, within
    ``in_tenant``; after: called with the ids once they have vectors."""

    name: str
    vectors: str
    items: str
    read: ReadTexts
    after: AfterStored | None = None


_kinds: dict[str, EmbeddedKind] = {}


def register_kind(kind: EmbeddedKind) -> EmbeddedKind:
    _kinds[kind.name] = kind
    return kind


def find_kind(name: str) -> EmbeddedKind:
    """Raises KeyError for a name nobody has registered."""
    return _kinds[name]


def all_kinds() -> list[EmbeddedKind]:
    return list(_kinds.values())
