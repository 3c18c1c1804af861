"""Setting providers up: what people decide of an integration, and what is checked before.

Credentials come in and never go out: events hold names and statuses, errors hold no values.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from integrations_app.errors import IntegrationNotFound, InvalidSettings, NotUsable, UnknownProvider
from integrations_app.models import Integration
from integrations_app.models.integrations import GRANTED
from integrations_app.providers.base import Form, hint_of, plain
from integrations_app.providers.registry import provider_of
from integrations_app.services.checking import Values, checked
from integrations_app.services.owners import Owner, owner_fields
from integrations_app.types import IntegrationStatus
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.accounts.services.grants import revoke_all
from one_project.common.errors import Conflict
from one_project.common.publish import publish_on_commit

MAX_INTEGRATIONS: Final = 200
# Settings that say to whom credentials are shown: with another of these, they are typed again.
# (Of the smaller services the kind says it, and of Zulip the address of its bot.)
_WHERE: Final = ("host", "url", "server", "domain", "endpoint", "service", "user")
NEW_PLACE: Final = "Type this again: it would be sent to another address than before."


def create_integration(
    organisation: Organisation,
    *,
    by: User,
    provider: str,
    name: str,
    settings: Mapping[str, Any],
    credentials: Mapping[str, Any],
    owner: Owner = "me",
    is_default: bool = False,
    priority: int = 100,
) -> Integration:
    """A new one, as a draft: it sends nothing before a test has found it working.

    Raises UnknownProvider, InvalidSettings (problems as ``settings.host``, ``credentials.token``,
    ``name``), BadAddress and AddressRefused for where it must not go, AccessDenied, Conflict.
    """
    which = provider_of(provider)
    if which.is_internal:
        raise UnknownProvider
    whose = owner_fields(organisation, by, owner)
    # Looks names of servers up, so before the transaction.
    values = Values(name=name, settings=settings, priority=priority)
    columns, secret = checked(which, values, credentials)
    row = Integration(
        organisation=organisation,
        provider=which.slug,
        channel_type=which.channel_type,
        created_by=by,
        meta={"version": 1},
        **whose,
        **columns,
    )
    _set_credentials(row, secret, by)
    with transaction.atomic():
        # One at a time, so that nobody gets past the limit, or makes two defaults.
        Organisation.objects.select_for_update().get(pk=organisation.pk)
        if Integration.objects.filter(organisation=organisation).count() >= MAX_INTEGRATIONS:
            raise Conflict(f"An organisation has at most {MAX_INTEGRATIONS} integrations.")
        row.save(force_insert=True)
        if is_default:
            _take_default(row)
        _record(row, "integration_created", by, {"provider": row.provider, "name": row.name})
    return row


def change_integration(
    row: Integration,
    *,
    by: User,
    values: Values,
    credentials: Mapping[str, Any] | None = None,
    seen: int | None = None,
) -> Integration:
    """Change name, settings and priority, and those ``credentials`` that are given; others stay.

    ``seen``: the version that was on the page. Settings that name another server want all of the
    credentials again, or whoever may change them could have them sent to themselves. Raises
    Conflict, IntegrationNotFound and the errors of ``create_integration``.
    """
    read = Integration.objects.filter(pk=row.pk).first()
    if read is None:
        raise IntegrationNotFound
    version = seen or int(read.meta.get("version", 1))
    _check_seen(read, version)
    provider = provider_of(read.provider)
    given = {name: value for name, value in (credentials or {}).items() if value not in ("", None)}
    held = dict(read.credentials)
    moved = _moved(read, values.settings)
    missing = [name for name in held if held[name] and name not in given] if moved else []
    if missing:
        raise InvalidSettings({f"credentials.{name}": NEW_PLACE for name in missing})
    columns, secret = checked(provider, values, {**held, **given})
    with transaction.atomic():
        kept = _locked(row)
        _check_seen(kept, version)
        changes_work = columns["settings"] != kept.settings or bool(given)
        for name, value in columns.items():
            setattr(kept, name, value)
        if given:
            _set_credentials(kept, secret, by)
        _save(kept, new_set_up=changes_work)
        _record(kept, "integration_changed", by, {"credentials": bool(given)})
    return kept


def replace_credentials(
    row: Integration, *, by: User, credentials: Mapping[str, Any], seen: int | None = None
) -> Integration:
    """Put other credentials in; fields left empty stay. Raises as ``change_integration``."""
    values = Values(name=row.name, settings=row.settings, priority=row.priority)
    return change_integration(row, by=by, values=values, credentials=credentials, seen=seen)


def _moved(row: Integration, settings: Mapping[str, Any]) -> bool:
    """Whether the settings lead to another place than the stored ones."""
    if not row.credentials:
        return False
    names = {*row.settings, *settings}
    where = [name for name in names if any(name.lower().endswith(word) for word in _WHERE)]
    return any(str(row.settings.get(name) or "") != str(settings.get(name) or "") for name in where)


def _set_credentials(row: Integration, secret: Form, by: User) -> None:
    row.credentials = {name: value for name, value in plain(secret).items() if value is not None}
    row.hint = hint_of(secret)
    # Known without opening them: whether there is an app that people link accounts through.
    links = "client_id" not in row.credentials or bool(row.credentials["client_id"])
    row.meta = {**row.meta, "links_accounts": links}
    row.credentials_changed_at, row.credentials_changed_by = timezone.now(), by


@transaction.atomic
def pause(row: Integration, *, by: User) -> Integration:
    """Send nothing through it any more; what waits goes another way or waits."""
    kept = _locked(row)
    if kept.status != IntegrationStatus.INACTIVE:
        kept.status = IntegrationStatus.INACTIVE
        _save(kept)
        _record(kept, "integration_paused", by)
    return kept


@transaction.atomic
def activate(row: Integration, *, by: User) -> Integration:
    """Let it send. Raises NotUsable unless it has worked since it was last changed."""
    kept = _locked(row)
    if kept.status == IntegrationStatus.ACTIVE:
        return kept
    if kept.status == IntegrationStatus.ERROR or not works_as_it_is(kept):
        raise NotUsable("Test the connection first: it becomes active when the test succeeds.")
    kept.status, kept.failures = IntegrationStatus.ACTIVE, 0
    _save(kept)
    _record(kept, "integration_activated", by)
    return kept


def works_as_it_is(row: Integration) -> bool:
    """Whether a test succeeded since its settings or credentials were last changed."""
    return bool(row.meta.get("tested_version") == set_up_version(row))


def set_up_version(row: Integration) -> int:
    """The version of its settings and credentials; a test is about one of them."""
    return int(row.meta.get("set_up", 0))


@transaction.atomic
def remove(row: Integration, *, by: User) -> None:
    """Delete it with its connections, addresses and routes; what was sent stays on record."""
    kept = _locked(row)
    if kept.meta.get("operator"):
        raise Conflict("The operator of this installation has set this one up.")
    revoke_all(kept.organisation, GRANTED, kept.pk, by=by)
    _record(kept, "integration_removed", by, {"provider": kept.provider, "name": kept.name})
    kept.delete()


@transaction.atomic
def make_default(row: Integration, *, by: User, is_default: bool = True) -> Integration:
    """Have its owner's messages of this channel go through it first."""
    kept = _locked(row)
    if kept.is_default == is_default:
        return kept
    if is_default:
        try:
            with transaction.atomic():
                _take_default(kept)
        except IntegrityError:
            raise Conflict from None
    else:
        kept.is_default = False
        _save(kept)
    _record(kept, "integration_default_set", by, {"is_default": is_default})
    return kept


def _take_default(row: Integration) -> None:
    others = Integration.objects.select_for_update(of=("self",)).filter(
        organisation_id=row.organisation_id,
        channel_type=row.channel_type,
        user=row.user,
        team=row.team,
        is_default=True,
    )
    for other in others.exclude(pk=row.pk).order_by("pk"):
        other.is_default = False
        _save(other)
    row.is_default = True
    _save(row)


def _locked(row: Integration) -> Integration:
    found = Integration.objects.select_for_update(of=("self",)).filter(pk=row.pk).first()
    if found is None:
        raise IntegrationNotFound
    return found


def _check_seen(row: Integration, seen: int) -> None:
    if seen != row.meta.get("version", 1):
        raise Conflict(
            "Somebody else has changed this in the meantime. Reload the page to see it; what you"
            " typed is still here."
        )


def _save(row: Integration, *, new_set_up: bool = False) -> None:
    row.meta = {**row.meta, "version": int(row.meta.get("version", 1)) + 1}
    if new_set_up:
        row.meta = {**row.meta, "set_up": set_up_version(row) + 1}
    row.save()


def _record(
    row: Integration, kind: str, by: User | None, data: dict[str, Any] | None = None
) -> None:
    target = f"integration:{row.pk}"
    record_event(row.organisation, kind, actor=by, target=target, data=data)
    wake(row, by)


def wake(row: Integration, by: User | None) -> None:
    """Have the pages of those it is about look again."""
    for user_id in {row.user_id, by.pk if by else None} - {None}:
        publish_on_commit(f"one:u:{user_id}", b"i\n")
