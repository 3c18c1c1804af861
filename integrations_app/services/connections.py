"""Linked accounts in use: whose is taken, a token that is valid, and the end of a link."""

import asyncio
import logging
import threading
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import OperationalError, connection, transaction
from django.db.models import Case, IntegerField, Q, Value, When
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from integrations_app.errors import ConnectRequired, SendError, Transient
from integrations_app.models import Connection, Integration
from integrations_app.providers.oauth.client import GrantGone, refresh
from integrations_app.providers.oauth.client import revoke as give_back
from integrations_app.providers.oauth.connector import app_of
from integrations_app.providers.oauth.services import has_service
from integrations_app.providers.registry import provider_of
from integrations_app.providers.threads import in_own_thread
from integrations_app.runtime.accounts import account_of
from integrations_app.services.connecting import (
    Connected,
    Owner,
    begin_connect,
    finish_connect,
    may_connect,
)
from integrations_app.types import ConnectionStatus
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event
from one_project.common.database import in_thread
from one_project.common.errors import AppError
from one_project.common.publish import publish_on_commit

__all__ = [
    "Connected",
    "Owner",
    "begin_connect",
    "connection_for",
    "finish_connect",
    "may_connect",
    "revoke",
    "token_of",
]

logger = logging.getLogger(__name__)

# Before it ends, so that it lasts for what it is asked for.
LEEWAY: Final = timedelta(seconds=60)
# Seconds: of the request for a fresh one, of waiting for who is asking already.
_REFRESH: Final = 8.0
_LOCK_WAIT: Final = "10s"
_EXPIRED: Final = "The consent has run out or was taken back over there."
# Those who wait for the same connection in this process wait here, with no connection of the
# database in their hands.
_WAITING: Final = tuple(threading.Lock() for _ in range(64))


def connection_for(integration: Integration, user: User | None) -> Connection:
    """The account this person acts through: their own, else their team's, else the shared one.

    ``user`` None: a program of the organisation. Raises ConnectRequired.
    """
    whose = Q(user=None, team=None)
    rows = Connection.objects.filter(integration=integration, status=ConnectionStatus.ACTIVE)
    if user is not None:
        rows = Connection.objects.usable_by(user, integration.organisation).filter(
            pk__in=rows.values("pk")
        )
    else:
        rows = rows.filter(whose)
    nearness = Case(
        When(user__isnull=False, then=Value(0)),
        When(team__isnull=False, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    found = rows.select_related("integration").order_by(nearness, "created_at").first()
    if found is None:
        raise connect_required(integration)
    return found


def connect_required(integration: Integration) -> ConnectRequired:
    """The error of a person who has no account there yet."""
    title = provider_of(integration.provider).title
    return ConnectRequired(integration.pk, f"Please connect your {title} account first.")


async def token_of(link: Connection, *, refused: str = "") -> dict[str, Any]:
    """A token that is valid for a minute at least; a fresh one where it has run out.

    refused: an access token that the service did not take although it should last. Raises
    ConnectRequired when a person has to connect again, Transient when the service cannot be
    reached, AuthFailed when it does not know our app.
    """
    row = await in_thread(_read, link.pk)
    if not _is_stale(row, refused):
        return dict(row.token)
    return await in_own_thread(_fresh, row.pk, refused)


def _read(pk: UUID) -> Connection:
    row = Connection.objects.select_related("integration").filter(pk=pk).first()
    return _usable(row)


def _usable(row: Connection | None) -> Connection:
    if row is None:
        raise ConnectRequired(None)
    if row.status != ConnectionStatus.ACTIVE or not row.token.get("access_token"):
        raise connect_required(row.integration)
    return row


def _is_stale(row: Connection, refused: str) -> bool:
    if refused and row.token.get("access_token") == refused:
        return True
    return row.expires_at is not None and row.expires_at <= timezone.now() + LEEWAY


def _fresh(pk: UUID, refused: str) -> dict[str, Any]:
    """One asks the service, with the row locked for as long as that takes; the others wait and
    find what it has brought. The refresh token that comes back is stored with it: the old one may
    be worth nothing from then on."""
    with _WAITING[pk.int % len(_WAITING)]:
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
                rows = Connection.objects.select_for_update(of=("self",))
                row = _usable(rows.select_related("integration").filter(pk=pk).first())
                if not _is_stale(row, refused):
                    return dict(row.token)
                if _refreshed(row):
                    return dict(row.token)
        except OperationalError as error:
            raise Transient("The account is being refreshed. Please try again.") from error
    raise connect_required(row.integration)


@sensitive_variables()
def _refreshed(row: Connection) -> bool:
    """Bring the locked row a fresh token; False when its consent is over (and stored as such)."""
    refresh_token = str(row.token.get("refresh_token", ""))
    if not refresh_token:
        _expire(row)
        return False
    app = app_of(row.integration.provider, account_of(row.integration))
    try:
        granted = asyncio.run(refresh(app, refresh_token=refresh_token, deadline=_REFRESH))
    except GrantGone:
        _expire(row)
        return False
    except Transient:
        if row.expires_at is not None and row.expires_at > timezone.now():
            return True  # the old one lasts a little longer
        raise
    now = timezone.now()
    row.token = {**row.token, **granted.token}
    lifetime = granted.lifetime
    row.expires_at = None if lifetime is None else now + timedelta(seconds=lifetime)
    row.last_ok_at, row.last_error = now, ""
    row.save(update_fields=["token", "expires_at", "last_ok_at", "last_error", "updated_at"])
    return True


def _expire(row: Connection) -> None:
    """The consent is over: say so, once, to whoever can give it again."""
    row.status, row.last_error, row.token = ConnectionStatus.EXPIRED, _EXPIRED, {}
    row.save(update_fields=["status", "last_error", "token", "updated_at"])
    record_event(
        row.organisation,
        "connection_expired",
        target=f"connection:{row.pk}",
        data={"provider": row.integration.provider},
    )
    _tell(row)


def _tell(row: Connection) -> None:
    from integrations_app.services.notifications import notify_user

    person = row.user or _connected_by(row) or row.integration.created_by
    if person is None:
        return
    title = provider_of(row.integration.provider).title
    try:
        with transaction.atomic():
            notify_user(
                row.organisation,
                person,
                title=f"Connect {title} again",
                body=f"{_EXPIRED} Until then nothing is read or sent through it.",
                url=f"/connections/{row.integration_id}/",
                category="connections",
            )
    except Exception:
        # That it has run out is stored in any case.
        logger.exception("nobody was told that connection %s has expired", row.pk)
    publish_on_commit(f"one:u:{person.pk}", b"i\n")


def _connected_by(row: Connection) -> User | None:
    wanted = row.meta.get("connected_by")
    return User.objects.filter(pk=wanted).first() if wanted else None


def revoke(row: Connection, *, by: User) -> bool:
    """End the link: the token is given back to the service and forgotten here, in any case.

    Call it in no transaction. False: the service did not take it back (it cannot, or was away), so
    the person may want to remove the app over there.
    """
    given_back = False
    if row.token and has_service(row.integration.provider):
        try:
            app = app_of(row.integration.provider, account_of(row.integration))
            given_back = async_to_sync(give_back)(app, token=row.token, deadline=_REFRESH)
        except (SendError, AppError) as error:
            logger.info("connection %s was not given back: %s", row.pk, error.code)
    with transaction.atomic():
        kept = Connection.objects.select_for_update(of=("self",)).filter(pk=row.pk).first()
        if kept is not None:
            kept.token, kept.expires_at, kept.last_error = {}, None, ""
            kept.status = ConnectionStatus.REVOKED
            kept.save()
            record_event(
                kept.organisation,
                "connection_revoked",
                actor=by,
                target=f"connection:{kept.pk}",
                data={"provider": row.integration.provider, "given_back": given_back},
            )
            publish_on_commit(f"one:u:{by.pk}", b"i\n")
    return given_back
