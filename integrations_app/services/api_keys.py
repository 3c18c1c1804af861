"""Keys of programs: shown once, kept as a hash, acting for their person within scopes."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from billing_app.services.rate_limits import limit
from billing_app.types.rate_limits import RateLimit
from integrations_app.errors import InvalidSettings, KeyRefused, ScopeMissing
from integrations_app.models import ApiKey
from one_project.accounts.access import ROLES, access_membership, find_membership
from one_project.accounts.models import Membership, Organisation, Role, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict
from one_project.common.text import clean_line

PREFIX: Final = "one_"
MAX_KEYS: Final = 50
MAX_TOOLS: Final = 200
MAX_DAYS: Final = 730
# What a key may be good for, and the least role of its person: who may tell everybody something.
SCOPES: Final = {
    "notify": ("Send notifications", Role.STAFF),
    "mcp": ("Connect over MCP", Role.MEMBER),
    "knowledge": ("Search and read documents", Role.MEMBER),
    "tools": ("Use tools", Role.MEMBER),
}
# Requests of one key: two a second, sixty at once.
PACE: Final = RateLimit("token bucket", 120, 60.0, capacity=60)
# A use is noted once in so long: it is to say "last week", not to count.
_COARSE: Final = timedelta(minutes=5)
_TOKEN_BYTES: Final = 32
_MAX_CHARS: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a request comes from. ``membership``: its rights are those of now."""

    key: ApiKey
    organisation: Organisation
    user: User
    membership: Membership

    def may(self, scope: str) -> bool:
        """Whether the key says so and its person still has the role that this takes."""
        return scope in self.key.scopes and _has_role(self.membership, SCOPES[scope][1])


@transaction.atomic
def create_key(
    organisation: Organisation,
    *,
    by: User,
    name: str,
    scopes: Sequence[str],
    tools: Sequence[str] = (),
    days: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key of ``by`` and, this once, the key itself.

    tools: names of those it may call over MCP with the scope ``tools``; none: those that only read.
    days: how long it lasts; None for ever. Raises InvalidSettings, NotFound, Conflict.
    """
    membership = access_membership(by, organisation)
    problems: dict[str, str] = {}
    if not (name := clean_line(name, 120)):
        problems["name"] = "Please give it a name."
    if not scopes or not set(scopes) <= set(SCOPES):
        problems["scopes"] = "Please choose what it may do."
    elif any(not _has_role(membership, SCOPES[one][1]) for one in scopes):
        problems["scopes"] = "Your role does not allow all of this."
    if len(tools) > MAX_TOOLS or any(len(one) > 64 for one in tools):
        problems["tools"] = "These are too many."
    if days is not None and not 0 < days <= MAX_DAYS:
        problems["days"] = f"1 to {MAX_DAYS} days."
    if problems:
        raise InvalidSettings(problems)
    Organisation.objects.select_for_update().get(pk=organisation.pk)
    mine = ApiKey.objects.filter(organisation=organisation, user=by, revoked_at=None)
    if mine.count() >= MAX_KEYS:
        raise Conflict(f"A person has at most {MAX_KEYS} keys.")
    raw = PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    key = ApiKey.objects.create(
        organisation=organisation,
        user=by,
        name=name,
        prefix=raw[: len(PREFIX) + 6],
        key_hash=hash_of(raw),
        scopes=sorted(set(scopes)),
        tools=sorted(set(tools)),
        expires_at=timezone.now() + timedelta(days=days) if days else None,
    )
    _record(key, "api_key_created", by)
    return key, raw


@transaction.atomic
def revoke(key: ApiKey, *, by: User) -> None:
    """It opens nothing any more, from its next request on."""
    changed = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())
    if changed:
        _record(key, "api_key_revoked", by)


def access_by_key(raw: str, scope: str = "") -> Caller:
    """Who comes with this key, if it is good for ``scope`` ("": for anything) now.

    Raises KeyRefused, ScopeMissing, and RateLimited where it comes too often. Found by its hash:
    how long that takes says nothing about the key.
    """
    if not raw.startswith(PREFIX) or len(raw) > _MAX_CHARS:
        raise KeyRefused
    now = timezone.now()
    rows = ApiKey.objects.filter(key_hash=hash_of(raw), revoked_at=None)
    rows = rows.filter(Q(expires_at=None) | Q(expires_at__gt=now))
    key = rows.select_related("organisation", "user").first()
    membership = find_membership(key.user, key.organisation_id) if key else None
    if key is None or membership is None:
        raise KeyRefused
    caller = Caller(key=key, organisation=key.organisation, user=key.user, membership=membership)
    limit("api_key", key=str(key.pk), config=PACE, throws=True)
    if key.last_used_at is None or key.last_used_at < now - _COARSE:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    if scope and not caller.may(scope):
        raise ScopeMissing
    return caller


def hash_of(raw: str) -> str:
    """SHA-256: the key has 256 bits of its own, so nothing slower is needed."""
    return hashlib.sha256(raw.encode("utf-8", errors="replace")).hexdigest()


def bearer_of(header: str) -> str:
    """The key of an ``Authorization`` header; empty where there is none. Never from an address:
    those are logged."""
    kind, _, raw = header.partition(" ")
    return raw.strip() if kind.lower() == "bearer" else ""


def _has_role(membership: Membership, least: Role) -> bool:
    return ROLES.index(Role(membership.role)) >= ROLES.index(least)


def _record(key: ApiKey, kind: str, by: User) -> None:
    data = {"name": key.name, "scopes": key.scopes}
    record_event(key.organisation, kind, actor=by, target=f"api_key:{key.pk}", data=data)
