"""Tools that others describe: what they say is kept as a snapshot, and an administrator decides.

A tool may be used only while its description is the one that was looked at. Anything new or changed
waits; whoever offers tools to agents is told through ``on_approved`` and ``on_removed``.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from uuid import UUID

import orjson
from django.db import transaction
from django.utils import timezone

from integrations_app.models import HttpApi, McpServer, RemoteTool
from integrations_app.providers.openapi import READS
from one_project.accounts.access import access_membership
from one_project.accounts.models import Role, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.text import clean_json, clean_line, clean_text

Owner: TypeAlias = McpServer | HttpApi
# What an administrator may say of a tool (``agents_app.models.Effect``).
EFFECTS: Final = {
    "read": "Reads",
    "external": "Acts outside",
    "destructive": "Destroys",
}
MAX_DESCRIPTION: Final = 4_000
_NAME_CHARS: Final = 64

Approved: TypeAlias = Callable[[RemoteTool, User], None]
Removed: TypeAlias = Callable[[UUID, Sequence[UUID]], None]
_approved: list[Approved] = []
_removed: list[Removed] = []


def on_approved(follow: Approved) -> None:
    """Have ``follow(tool, by)`` called in the transaction that approves it."""
    if follow not in _approved:
        _approved.append(follow)


def on_removed(follow: Removed) -> None:
    """Have ``follow(organisation_id, ids)`` called in the transaction that removes tools."""
    if follow not in _removed:
        _removed.append(follow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One tool as it is described now. ``problem``: why it cannot be used, if so."""

    name: str
    title: str = ""
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    operation: Mapping[str, Any] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    found: int
    new: int
    changed: int
    gone: int

    def __str__(self) -> str:
        said = [f"{self.found} tools"]
        said += [f"{count} {word}" for count, word in self._changes() if count]
        return ", ".join(said)

    def _changes(self) -> list[tuple[int, str]]:
        return [(self.new, "new"), (self.changed, "changed"), (self.gone, "gone")]


def take_snapshot(
    owner: Owner, found: Iterable[Seen], *, keep: Iterable[RemoteTool] = ()
) -> Counts:
    """Keep what is described now, in the caller's transaction, with the owner's row locked.

    keep: tools that are described elsewhere, neither gone nor replaced.
    """
    known = {row.name: row for row in _tools_of(owner).select_for_update()}
    new = changed = 0
    kept = {row.name for row in keep}
    named: set[str] = set(kept)
    for seen in found:
        name = clean_line(seen.name, 128)
        if not name or name in named:
            continue
        named.add(name)
        row = known.get(name) or _new(owner, name)
        before = row.schema_hash
        _describe(row, seen)
        if name not in known:
            new += 1
        elif before != row.schema_hash:
            changed += 1
        row.gone_at = None
        row.save()
    gone = [row for name, row in known.items() if name not in named and row.gone_at is None]
    for row in gone:
        row.gone_at = timezone.now()
        row.save(update_fields=["gone_at", "updated_at"])
    return Counts(found=len(named - kept), new=new, changed=changed, gone=len(gone))


def add_one(owner: Owner, seen: Seen, *, meta: Mapping[str, Any]) -> RemoteTool:
    """One more tool, in the caller's transaction, with the owner's row locked. Raises InvalidInput
    where there is one of its name."""
    if _tools_of(owner).filter(name=seen.name).exists():
        raise InvalidInput("There is one of this name already.")
    row = _new(owner, seen.name)
    _describe(row, seen)
    row.meta = {**row.meta, **meta}
    row.save()
    return row


def _new(owner: Owner, name: str) -> RemoteTool:
    row = RemoteTool(organisation=owner.organisation, name=name)
    if isinstance(owner, McpServer):
        row.server = owner
    else:
        row.api = owner
    return row


def _describe(row: RemoteTool, seen: Seen) -> None:
    row.title = clean_line(seen.title, 200)
    row.description = clean_text(seen.description).strip()[:MAX_DESCRIPTION]
    row.parameters = dict(seen.parameters)
    row.operation = dict(seen.operation)
    row.hints = _small(seen.hints)
    row.meta = {**row.meta, "problem": seen.problem[:300]}
    row.schema_hash = hash_of(row)


def _small(hints: Mapping[str, Any]) -> dict[str, Any]:
    """Only what is a short word or a yes or no: hints are shown, and nothing else."""
    kept = {
        clean_line(key, 40): one if isinstance(one, bool) else clean_line(one, 200)
        for key, one in hints.items()
        if isinstance(one, bool | str)
    }
    found: dict[str, Any] = clean_json(dict(list(kept.items())[:12]))
    return found


def described_as(row: RemoteTool) -> dict[str, Any]:
    """What of it an administrator looks at, and all that the hash is of."""
    return {
        "name": row.name,
        "title": row.title,
        "description": row.description,
        "parameters": row.parameters,
        "operation": row.operation,
        "hints": row.hints,
        "problem": row.meta.get("problem", ""),
    }


def hash_of(row: RemoteTool) -> str:
    return hashlib.sha256(orjson.dumps(described_as(row), option=orjson.OPT_SORT_KEYS)).hexdigest()


def differences(row: RemoteTool) -> list[str]:
    """How its description differs from the one that was approved, as lines of a unified diff."""
    if not row.approved_as or row.is_approved:
        return []
    before, now = (
        json.dumps(one, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
        for one in (row.approved_as, described_as(row))
    )
    return list(difflib.unified_diff(before, now, lineterm="", n=2))[2:400]


@transaction.atomic
def approve(row: RemoteTool, *, by: User, seen: str, effect: str = "") -> RemoteTool:
    """An administrator has looked at the description of hash ``seen`` and allows its use.

    ``effect``: what it does, by the administrator's word; empty keeps what was said, at first what
    is to be expected. Raises AccessDenied, InvalidInput, Conflict where it has changed meanwhile.
    """
    access_membership(by, row.organisation, Role.ADMIN)
    kept = RemoteTool.objects.select_for_update(of=("self",)).filter(pk=row.pk).first()
    if kept is None or kept.schema_hash != seen or kept.gone_at is not None:
        raise Conflict("Its description has changed. Please look at it again.")
    if problem := kept.meta.get("problem"):
        raise InvalidInput(f"It cannot be used: {problem}")
    if effect and effect not in EFFECTS:
        raise InvalidInput("Please choose what it does.")
    kept.approved_hash, kept.approved_by, kept.approved_at = seen, by, timezone.now()
    kept.approved_as = described_as(kept)
    kept.meta = {
        **kept.meta,
        "effect": effect or effect_of(kept),
        "tool": kept.meta.get("tool") or tool_name(kept),
    }
    kept.save()
    record_event(
        kept.organisation,
        "remote_tool_approved",
        actor=by,
        target=f"remote_tool:{kept.pk}",
        data={"name": kept.name, "effect": effect_of(kept)},
    )
    for follow in _approved:
        follow(kept, by)
    return kept


@transaction.atomic
def approve_all(chosen: Sequence[tuple[RemoteTool, str, str]], *, by: User) -> int:
    """Allow several at once, as (tool, hash that was looked at, effect); how many. All of them or
    none. Raises as ``approve``."""
    for tool, seen, effect in chosen:
        approve(tool, by=by, seen=seen, effect=effect)
    return len(chosen)


@transaction.atomic
def withdraw(row: RemoteTool, *, by: User) -> RemoteTool:
    """Not usable any more, until it is approved again. Raises AccessDenied."""
    access_membership(by, row.organisation, Role.ADMIN)
    kept = RemoteTool.objects.select_for_update(of=("self",)).get(pk=row.pk)
    kept.approved_hash = ""
    kept.save(update_fields=["approved_hash", "updated_at"])
    record_event(
        kept.organisation, "remote_tool_withdrawn", actor=by, target=f"remote_tool:{kept.pk}"
    )
    return kept


def withdraw_all(owner: Owner) -> None:
    """In the caller's transaction: whatever answers there now is not what was looked at."""
    _tools_of(owner).exclude(approved_hash="").update(
        approved_hash="", approved_as={}, updated_at=timezone.now()
    )


def forget_all(owner: Owner) -> None:
    """Tell those who offer its tools that they go with it; in the caller's transaction."""
    ids = list(_tools_of(owner).values_list("pk", flat=True))
    for follow in _removed:
        follow(owner.organisation_id, ids)


def is_usable(row: RemoteTool) -> bool:
    """Approved as it is described now, still there, and its owner switched on."""
    owner = owner_of(row)
    return row.is_approved and row.gone_at is None and owner.is_active


def owner_of(row: RemoteTool) -> Owner:
    owner = row.server or row.api
    assert owner is not None
    return owner


def effect_of(row: RemoteTool) -> str:
    """What an administrator has said, else what is to be expected: the server's own hints count
    for nothing, methods of HTTP for what they mean."""
    if said := row.meta.get("effect"):
        return str(said)
    method = row.operation.get("method", "")
    if method == "DELETE":
        return "destructive"
    return "read" if method in READS else "external"


def tool_name(row: RemoteTool) -> str:
    """``slug__name``, as models take it: 64 characters at most; what had to be changed for that
    carries a part of a hash, so that two do not become one."""
    prefix = f"{owner_of(row).slug}__"
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", row.name)
    if plain == row.name and len(prefix + plain) <= _NAME_CHARS:
        return prefix + plain
    mark = hashlib.sha256(row.name.encode()).hexdigest()[:6]
    return f"{prefix}{plain}"[: _NAME_CHARS - 7] + f"_{mark}"


def _tools_of(owner: Owner) -> Any:
    if isinstance(owner, McpServer):
        return RemoteTool.objects.filter(server=owner)
    return RemoteTool.objects.filter(api=owner)
