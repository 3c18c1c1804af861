"""Trying an integration: work of its own, outside of any transaction, with a result to look at.

The result is about the settings and credentials it was made with: what is changed meanwhile has to
be tried again. A draft and one in error become active by a good test; one that was paused stays so.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from integrations_app.errors import InvalidSettings, NotUsable, SendError
from integrations_app.models import Integration
from integrations_app.providers.registry import provider_of
from integrations_app.runtime.accounts import account_of
from integrations_app.services.integrations import set_up_version, wake
from integrations_app.types import IntegrationStatus
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event
from one_project.common.database import in_thread
from one_project.common.errors import AppError
from one_project.common.sealing import SealBroken
from one_project.common.text import clean_line
from one_project.workflows.definitions import step
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Retry

DEADLINE: Final = 20.0
# A test that has told nothing by then was lost with its worker.
GIVEN_UP_AFTER: Final = timedelta(seconds=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The last test: ``state`` is running, ok, failed or lost; ``text`` says what was found."""

    state: str
    text: str
    at: datetime
    is_old: bool = False

    @property
    def is_running(self) -> bool:
        return self.state == "running"


def trial_of(row: Integration) -> Trial | None:
    """The last test of it, if there was one. ``is_old``: it was about earlier settings."""
    held = row.meta.get("test")
    if not isinstance(held, dict):
        return None
    at = datetime.fromisoformat(held["at"])
    state, text = str(held["state"]), str(held.get("text", ""))
    if state == "running" and timezone.now() - at > GIVEN_UP_AFTER:
        state, text = "lost", "The test did not come to an end. Please try again."
    return Trial(state=state, text=text, at=at, is_old=held.get("set_up") != set_up_version(row))


def trial_version(row: Integration) -> str:
    """Tells two states of it, and of its test, apart."""
    found = trial_of(row)
    return f"{row.status}-{found.state}-{found.at.timestamp():.0f}" if found else row.status


@transaction.atomic
def test_integration(row: Integration, *, by: User) -> Trial:
    """Have it tried by a worker; a test that runs already is not begun a second time."""
    kept = Integration.objects.select_for_update(of=("self",)).get(pk=row.pk)
    running = trial_of(kept)
    if running is not None and running.is_running and not running.is_old:
        return running
    if kept.meta.get("operator"):
        raise NotUsable("The operator of this installation looks after this one.")
    work = enqueue(try_integration, kept.pk, by.pk, organisation_id=kept.organisation_id)
    _note(kept, state="running", text="", test=str(work.pk))
    wake(kept, by)
    found = trial_of(kept)
    assert found is not None
    return found


def _note(row: Integration, *, state: str, text: str, test: str) -> None:
    row.meta = {
        **row.meta,
        "test": {
            "id": test,
            "state": state,
            "text": text,
            "at": timezone.now().isoformat(),
            "set_up": set_up_version(row),
        },
    }
    row.save(update_fields=["meta"])


# It sends nothing, so it may be begun again.
@step(name="integrations.try", retry=Retry(attempts=2, initial=1.0), timeout=60)
async def try_integration(integration_id: UUID, by_id: UUID) -> str:
    """Ask the provider whether it takes the credentials, and keep what it says."""
    opened = await in_thread(_opened, integration_id)
    if opened is None:
        return "gone"
    row, account, problem = opened
    text, error = "", problem
    if account is not None:
        account = await _with_token(row, by_id, account)
        try:
            async with asyncio.timeout(DEADLINE):
                text = await provider_of(row.provider).test_connection(account)
        except TimeoutError:
            error = SendError(f"No answer within {DEADLINE:g} seconds.", code="timed_out")
        except AppError as raised:
            error = raised
    return await in_thread(_settle, integration_id, by_id, set_up_version(row), text, error)


def _opened(integration_id: UUID) -> tuple[Integration, Any, AppError | None] | None:
    row = Integration.objects.filter(pk=integration_id).first()
    if row is None:
        return None
    try:
        return row, account_of(row), None
    except InvalidSettings:
        return row, None, SendError("Its settings are of an older version: save them again.")
    except SealBroken:
        return row, None, SendError("Its credentials cannot be read: replace them.")


async def _with_token(row: Integration, by_id: UUID, account: Any) -> Any:
    """With the person's connection, where the provider acts through one and there is one."""
    if not provider_of(row.provider).uses_connections:
        return account
    from integrations_app.services.connections import connection_for, token_of

    try:
        user = await in_thread(User.objects.get, pk=by_id)
        token = await token_of(await in_thread(connection_for, row, user))
    except AppError:
        return account
    return await in_thread(account_of, row, token)


@transaction.atomic
def _settle(
    integration_id: UUID, by_id: UUID, set_up: int, text: str, error: AppError | None
) -> str:
    row = Integration.objects.select_for_update(of=("self",)).filter(pk=integration_id).first()
    if row is None or set_up_version(row) != set_up:
        return "changed meanwhile"
    by = User.objects.filter(pk=by_id).first()
    now = timezone.now()
    if error is None:
        row.last_ok_at, row.failures = now, 0
        row.last_error, row.last_error_code, row.last_error_at = "", "", None
        row.meta = {**row.meta, "tested_version": set_up}
        if row.status in (IntegrationStatus.DRAFT, IntegrationStatus.ERROR):
            _become(row, IntegrationStatus.ACTIVE, by)
    else:
        row.last_error_at, row.last_error_code = now, clean_line(error.code, 40)
        row.last_error = clean_line(error.user_message, 300)
        # It was changed, and as it is now it has never worked.
        if row.status == IntegrationStatus.ACTIVE and row.meta.get("tested_version") != set_up:
            _become(row, IntegrationStatus.ERROR, by)
    _note(
        row,
        state="failed" if error else "ok",
        text=clean_line(row.last_error if error else text or "It works.", 300),
        test=str((row.meta.get("test") or {}).get("id", "")),
    )
    row.save()
    wake(row, by)
    return "failed" if error else "ok"


def _become(row: Integration, status: IntegrationStatus, by: User | None) -> None:
    kind = "integration_activated" if status == IntegrationStatus.ACTIVE else "integration_failed"
    row.status = status
    target = f"integration:{row.pk}"
    record_event(row.organisation, kind, actor=by, target=target)
