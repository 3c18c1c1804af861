"""Linking an account: a person is sent away to give consent, and comes back with a code.

The state that travels along is random, stored as a hash, bound to the person and their browser,
ten minutes old at most and used once. No transaction is open while the service is asked.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias

from asgiref.sync import async_to_sync
from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from integrations_app.access import access_integration
from integrations_app.errors import (
    AuthFailed,
    ConsentFailed,
    IntegrationNotFound,
    NotUsable,
    SendError,
)
from integrations_app.models import Connection, Integration, OAuthAttempt
from integrations_app.providers.base import Account
from integrations_app.providers.oauth.client import Granted, authorization_url, exchange
from integrations_app.providers.oauth.connector import Connector, app_of
from integrations_app.providers.oauth.services import service_of
from integrations_app.providers.registry import provider_of
from integrations_app.runtime.accounts import account_of
from integrations_app.services.integrations import set_up_version
from integrations_app.types import ConnectionStatus, IntegrationStatus
from one_project.accounts.access import find_membership
from one_project.accounts.models import Team, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, AppError, Conflict
from one_project.common.publish import publish_on_commit

Owner: TypeAlias = Literal["me", "organisation"] | Team

LIFETIME: Final = timedelta(minutes=10)
MAX_OPEN: Final = 20
_DEADLINE: Final = 15.0
_LOST: Final = (
    "This consent was used already, is older than ten minutes, or was begun in another browser."
    " Please begin again."
)
_REFUSALS: Final = {
    "access_denied": "You did not allow it, so nothing was connected.",
    "temporarily_unavailable": "The service is busy. Please try again in a while.",
    "server_error": "The service had a problem. Please try again in a while.",
    "invalid_scope": "The service does not let this app ask for what it needs.",
    "unauthorized_client": "The service does not let this app connect accounts.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """What came of it, and where the person was."""

    connection: Connection
    return_to: str


def begin_connect(
    user: User, integration: Integration, owner: Owner, return_to: str, *, browser: str
) -> str:
    """Where to send the person. ``browser``: the key of their session, which has to come back.

    owner: whose the connection becomes. The caller has found the integration by
    ``access_integration``. Raises AccessDenied, NotUsable, UnknownProvider, Permanent (no app).
    """
    if not may_connect(user, integration, owner):
        raise AccessDenied("You cannot connect an account for them.")
    if integration.status in (IntegrationStatus.INACTIVE, IntegrationStatus.ERROR):
        raise NotUsable
    app = app_of(service_of(integration.provider).slug, account_of(integration))
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    url = authorization_url(app, state=state, verifier=verifier)
    now = timezone.now()
    with transaction.atomic():
        own = OAuthAttempt.objects.filter(user=user)
        own.filter(expires_at__lt=now).delete()
        if own.filter(used_at=None).count() >= MAX_OPEN:
            raise Conflict("Too many accounts are being connected. Please wait ten minutes.")
        attempt = OAuthAttempt(
            organisation_id=integration.organisation_id,
            integration=integration,
            user=user,
            team=owner if isinstance(owner, Team) else None,
            is_shared=owner == "organisation",
            state_hash=_hash(state),
            browser_hash=_hash(browser),
            return_to=return_to[:300],
            expires_at=now + LIFETIME,
        )
        attempt.secret = {"verifier": verifier}
        attempt.save()
    return url


def may_connect(user: User, integration: Integration, owner: Owner) -> bool:
    """Anybody who may use it for themselves, members of a team for it, admins for everybody."""
    membership = find_membership(user, integration.organisation_id)
    if membership is None:
        return False
    if owner == "me":
        return True
    if isinstance(owner, Team):
        is_here = owner.organisation_id == integration.organisation_id
        return is_here and owner.team_members.filter(user=user).exists()
    return membership.is_admin


@sensitive_variables()
def finish_connect(
    user: User,
    *,
    state: str,
    browser: str,
    code: str = "",
    error: str = "",
    issuer: str = "",
) -> Connected:
    """The person is back: exchange the code, store what was granted. Call it in no transaction.

    Raises ConsentFailed, in words for the person.
    """
    attempt = _taken(user, state, browser)
    again: dict[str, Any] = {
        "integration_id": attempt.integration_id,
        "return_to": attempt.return_to,
    }
    if error or not code:
        raise ConsentFailed(_REFUSALS.get(error), detail=error[:60], **again)
    integration = attempt.integration
    service = service_of(integration.provider)
    if issuer and not service.is_issuer(issuer):
        raise ConsentFailed("The answer came from another service than was asked.", **again)
    try:
        access_integration(user, attempt.organisation, integration.pk)
        if not may_connect(user, integration, _owner(attempt)):
            raise AccessDenied
        account = account_of(integration)
        granted, identity = async_to_sync(_consented)(account, integration, code, attempt)
    except AppError as problem:
        raise ConsentFailed(problem.user_message, detail=problem.detail, **again) from None
    connection = _stored(attempt, granted, identity)
    return Connected(connection=connection, return_to=attempt.return_to)


def _taken(user: User, state: str, browser: str) -> OAuthAttempt:
    """The attempt of this state, used up by this very call."""
    now = timezone.now()
    rows = OAuthAttempt.objects.filter(state_hash=_hash(state), used_at=None, expires_at__gt=now)
    mine = rows.filter(user=user, browser_hash=_hash(browser))
    if not mine.update(used_at=now, updated_at=now):
        raise ConsentFailed(_LOST)
    attempt = OAuthAttempt.objects.select_related("integration", "organisation", "team")
    return attempt.get(state_hash=_hash(state))


async def _consented(
    account: Account, integration: Integration, code: str, attempt: OAuthAttempt
) -> tuple[Granted, tuple[str, str]]:
    app = app_of(integration.provider, account)
    verifier = str(attempt.secret.get("verifier", ""))
    granted = await exchange(app, code=code, verifier=verifier, deadline=_DEADLINE)
    if granted.external_id:
        return granted, (granted.external_id, granted.external_name)
    provider = provider_of(integration.provider)
    if not isinstance(provider, Connector):
        return granted, ("", "")
    opened = Account(
        integration_id=account.integration_id,
        organisation_id=account.organisation_id,
        settings=account.settings,
        credentials=account.credentials,
        token=granted.token,
    )
    try:
        return granted, await provider.who(opened)
    except AuthFailed:
        raise
    except SendError:
        # It is connected all the same; only its name is not known.
        return granted, ("", "")


@transaction.atomic
def _stored(attempt: OAuthAttempt, granted: Granted, identity: tuple[str, str]) -> Connection:
    # One at a time, so that two consents of one owner end in one row.
    integration = (
        Integration.objects.select_for_update(of=("self",))
        .filter(pk=attempt.integration_id)
        .first()
    )
    if integration is None:
        raise IntegrationNotFound
    owner: dict[str, Any] = {"user": None, "team": attempt.team}
    if not attempt.is_shared and attempt.team_id is None:
        owner["user"] = attempt.user
    found = Connection.objects.select_for_update(of=("self",))
    row = found.filter(integration=integration, **owner).first() or Connection(
        integration=integration, organisation_id=integration.organisation_id, **owner
    )
    now = timezone.now()
    row.token = granted.token
    row.scopes = granted.scopes
    row.expires_at = _until(granted)
    row.external_id, row.external_name = identity[0][:200], identity[1][:200]
    row.status, row.last_error, row.last_ok_at = ConnectionStatus.ACTIVE, "", now
    row.meta = {**row.meta, "connected_by": str(attempt.user_id)}
    row.save()
    if integration.status == IntegrationStatus.DRAFT:
        # Our app works: somebody has just connected through it.
        integration.status, integration.last_ok_at = IntegrationStatus.ACTIVE, now
        integration.meta = {**integration.meta, "tested_version": set_up_version(integration)}
        integration.save(update_fields=["status", "last_ok_at", "meta", "updated_at"])
    record_event(
        attempt.organisation,
        "connection_made",
        actor=attempt.user,
        target=f"connection:{row.pk}",
        data={"provider": integration.provider, "account": row.external_name},
    )
    publish_on_commit(f"one:u:{attempt.user_id}", b"i\n")
    return row


def _until(granted: Granted) -> Any:
    if granted.lifetime is None:
        return None
    return timezone.now() + timedelta(seconds=granted.lifetime)


def _owner(attempt: OAuthAttempt) -> Owner:
    if attempt.is_shared:
        return "organisation"
    return attempt.team or "me"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
