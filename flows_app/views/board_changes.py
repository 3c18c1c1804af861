"""From the cards a page has to those there are now: what to take away, to put in, to write anew.

A page names its cards in ``v``: the columns separated by ``.``, each a run of 12 characters a card,
8 of its id and 4 of what it shows. Only what differs is sent, so that what somebody is typing
elsewhere on the board stays.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final
from uuid import UUID

from flows_app.services.board import BoardColumn, Card

ID, DIGEST = 8, 4
SEEN: Final = re.compile(r"[\w-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shown:
    """A card on the page. ``dom_id``: of its element."""

    card: Card
    key: str
    digest: str

    @property
    def dom_id(self) -> str:
        return f"k{self.key}"


@dataclass(frozen=True, slots=True)
class Placed:
    """A card to put in: behind the element ``after``, or first in column ``place``."""

    shown: Shown
    after: str
    place: int


@dataclass(frozen=True, slots=True)
class Changes:
    removed: list[str] = field(default_factory=list)
    changed: list[Shown] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    # As the page is afterwards.
    version: str = ""


def shown_of(card: Card) -> Shown:
    said = (
        card.status,
        card.version,
        card.who,
        card.target.flow.name,
        card.step.name,
        card.due_at,
        card.is_overdue,
        card.reason,
        card.locked,
        card.changed_by,
    )
    return Shown(card, key_of(card.target.pk, card.step.key), _digest(repr(said).encode(), 3))


def key_of(target_id: UUID, step_key: UUID) -> str:
    return _digest(target_id.bytes + step_key.bytes, 6)


def version_of(columns: Sequence[Sequence[Shown]]) -> str:
    return ".".join("".join(one.key + one.digest for one in column) for column in columns)


def read_version(text: str, columns: int) -> list[dict[str, str]] | None:
    """Digest by id of each column, in the order of the page; None for what no page has sent."""
    parts = text.split(".")
    if len(parts) != columns or any(
        not SEEN.fullmatch(part) or len(part) % (ID + DIGEST) for part in parts
    ):
        return None
    return [
        {
            part[at : at + ID]: part[at + ID : at + ID + DIGEST]
            for at in range(0, len(part), ID + DIGEST)
        }
        for part in parts
    ]


def changes_between(
    seen: Sequence[dict[str, str]], columns: Sequence[BoardColumn], *, asking: Collection[str]
) -> Changes:
    """``asking``: ids of cards somebody is writing in; they stay as and where they are."""
    now = [[shown_of(card) for card in column.cards] for column in columns]
    now = [[one for one in column if one.key not in asking] for column in now]
    removed: list[str] = []
    changed: list[Shown] = []
    placed: list[Placed] = []
    versions = []
    for place, (was, cards) in enumerate(zip(seen, now, strict=True)):
        there = {one.key for one in cards}
        waiting = [key for key in was if key in there]
        removed += [f"k{key}" for key in was if key not in there and key not in asking]
        after = ""
        for one in cards:
            while waiting and waiting[0] not in there:
                waiting.pop(0)
            if waiting and waiting[0] == one.key:
                waiting.pop(0)
                if was[one.key] != one.digest:
                    changed.append(one)
            else:
                if one.key in was:
                    removed.append(one.dom_id)
                placed.append(Placed(one, after, place))
            there.discard(one.key)
            after = one.dom_id
        kept = [key + was[key] for key in was if key in asking]
        versions.append("".join(kept + [one.key + one.digest for one in cards]))
    return Changes(removed, changed, placed, ".".join(versions))


def _digest(value: bytes, size: int) -> str:
    return urlsafe_b64encode(blake2b(value, digest_size=size).digest()).decode()
