"""Inbound hooks as people set them up: what an event starts, and the secret it is signed with."""

import base64
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from django.db import transaction
from django.utils import timezone

from integrations_app.errors import InvalidSettings
from integrations_app.models import HookTarget, InboundEvent, InboundHook
from integrations_app.providers.signatures import SCHEMES, SECRET_PREFIX
from one_project.accounts.access import ROLES, access_membership
from one_project.accounts.models import Organisation, Role, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict
from one_project.common.text import clean_line

MAX_HOOKS: Final = 50
# How long the secret before the last one still opens.
OVERLAP: Final = timedelta(hours=24)
_SECRET: Final = re.compile(r"^[\x21-\x7e]{8,200}$")

# (value, label) of what a person may choose, and one event acted upon: its outcome in words.
Choices: TypeAlias = Callable[[User, Organisation], list[tuple[str, str]]]
Act: TypeAlias = Callable[[InboundHook, InboundEvent], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an event can start. ``config``: the name of the one thing a person chooses for it, out
    of ``choices``. ``least``: the role that this takes."""

    config: str
    choices: Choices
    act: Act
    least: Role = Role.MEMBER


_targets: dict[str, Target] = {}


def register_target(name: str, target: Target) -> None:
    """Make it one of the things a hook starts; for the apps above, in ``AppConfig.ready``."""
    _targets[HookTarget(name).value] = target


def target_of(name: str) -> Target | None:
    return _targets.get(name)


def targets() -> list[tuple[str, str]]:
    """Those there are, as (value, label)."""
    return [(value, label) for value, label in HookTarget.choices if value in _targets]


@dataclass(frozen=True, slots=True, kw_only=True)
class HookValues:
    """``chosen``: for each target what is started. ``secret``: where the sender makes it (Slack);
    empty has one made. ``to``: whom a notification tells, as ``trigger`` takes it."""

    name: str
    scheme: str
    target: str
    chosen: str
    secret: str = field(default="", repr=False)
    to: str = ""


@transaction.atomic
def create_hook(
    organisation: Organisation, *, by: User, values: HookValues
) -> tuple[InboundHook, str]:
    """A new hook of ``by``, whose rights its events have, and, this once, its secret.

    Raises InvalidSettings, NotFound, Conflict.
    """
    access_membership(by, organisation)
    Organisation.objects.select_for_update().get(pk=organisation.pk)
    if InboundHook.objects.filter(organisation=organisation).count() >= MAX_HOOKS:
        raise Conflict(f"An organisation has at most {MAX_HOOKS} hooks.")
    hook = InboundHook(organisation=organisation, user=by)
    _set(hook, values)
    secret = _checked_secret(values) or new_secret(values.scheme)
    hook.secret = {"value": secret}
    hook.save()
    _record(hook, "hook_created", by)
    return hook, secret


@transaction.atomic
def change_hook(hook: InboundHook, *, by: User, values: HookValues) -> InboundHook:
    """Change all of it but how it is signed. Raises InvalidSettings."""
    kept = _locked(hook)
    _set(kept, HookValues(**{**_as_dict(values), "scheme": kept.scheme}))
    kept.save()
    _record(kept, "hook_changed", by)
    return kept


@transaction.atomic
def rotate_secret(hook: InboundHook, *, by: User, secret: str = "") -> str:
    """Another secret, shown this once; the one before opens for another day. Raises
    InvalidSettings."""
    kept = _locked(hook)
    values = HookValues(name="", scheme=kept.scheme, target="", chosen="", secret=secret)
    made = _checked_secret(values) or new_secret(kept.scheme)
    until = timezone.now() + OVERLAP
    kept.secret = {
        "value": made,
        "before": kept.secret.get("value", ""),
        "before_until": until.isoformat(),
    }
    kept.save(update_fields=["secret", "updated_at"])
    _record(kept, "hook_secret_rotated", by)
    return made


@transaction.atomic
def switch_hook(hook: InboundHook, *, by: User, is_active: bool) -> None:
    """Pause it (its address is not there meanwhile), or let it go on."""
    InboundHook.objects.filter(pk=hook.pk).update(
        is_active=is_active, last_error="", updated_at=timezone.now()
    )
    _record(hook, "hook_resumed" if is_active else "hook_paused", by)


@transaction.atomic
def remove_hook(hook: InboundHook, *, by: User) -> None:
    """Delete it with what it was sent; what that has started stays."""
    _record(hook, "hook_removed", by)
    hook.delete()


def secrets_of(hook: InboundHook) -> list[str]:
    """Those that open now. Raises SealBroken."""
    held: Mapping[str, Any] = hook.secret
    found = [str(held.get("value", ""))]
    until = held.get("before_until")
    if held.get("before") and until and datetime.fromisoformat(until) > timezone.now():
        found.append(str(held["before"]))
    return [one for one in found if one]


def new_secret(scheme: str) -> str:
    raw = secrets.token_bytes(32)
    return SECRET_PREFIX + base64.b64encode(raw).decode() if scheme == "standard" else raw.hex()


def _set(hook: InboundHook, values: HookValues) -> None:
    problems: dict[str, str] = {}
    hook.name = clean_line(values.name, 120)
    if not hook.name:
        problems["name"] = "Please give it a name."
    if values.scheme not in SCHEMES:
        problems["scheme"] = "Please choose how its events are signed."
    target = target_of(values.target)
    if target is None:
        problems["target"] = "Please choose what its events start."
    else:
        membership = access_membership(hook.user, hook.organisation)
        if ROLES.index(Role(membership.role)) < ROLES.index(target.least):
            problems["target"] = "Your role does not allow this."
        elif values.chosen not in dict(target.choices(hook.user, hook.organisation)):
            problems["chosen"] = "Please choose one of these."
    to = clean_line(values.to, 300)
    if values.target == HookTarget.NOTIFICATION and not to:
        problems["to"] = "Please say who is told."
    if problems:
        raise InvalidSettings(problems)
    assert target is not None
    hook.scheme, hook.target = values.scheme, values.target
    hook.config = {target.config: values.chosen, **({"to": to} if to else {})}


def _checked_secret(values: HookValues) -> str:
    secret = values.secret.strip()
    if values.scheme == "slack" and not secret:
        raise InvalidSettings({"secret": "Please enter the signing secret of the Slack app."})
    if secret and not _SECRET.match(secret):
        raise InvalidSettings({"secret": "8 to 200 plain characters."})
    return secret


def _as_dict(values: HookValues) -> dict[str, str]:
    return {name: getattr(values, name) for name in values.__slots__}


def _locked(hook: InboundHook) -> InboundHook:
    rows = InboundHook.objects.select_for_update(of=("self",))
    return rows.select_related("organisation", "user").get(pk=hook.pk)


def _record(hook: InboundHook, kind: str, by: User) -> None:
    record_event(
        hook.organisation, kind, actor=by, target=f"hook:{hook.pk}", data={"name": hook.name}
    )
