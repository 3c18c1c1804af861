"""How an integration is: what it answered last, and the circuit that opens when its credentials
fail again and again."""

import logging
from datetime import timedelta
from importlib import import_module
from typing import Final
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from integrations_app.errors import AuthFailed, SendError
from integrations_app.models import Integration
from integrations_app.types import IntegrationStatus
from one_project.accounts.models import Membership, Role, User
from one_project.accounts.services.events import record_event

logger = logging.getLogger(__name__)

FAILURES: Final = 5  # of the credentials, in a row
# Successes write the row this often at most: many deliveries at once share it.
NOTED_EVERY: Final = timedelta(seconds=60)


def note_ok(integration_id: UUID) -> None:
    """It took something, so its credentials hold: the count of failures begins anew.

    What is paused or in error stays so; a successful test is what activates it again.
    """
    now = timezone.now()
    stale = Q(last_ok_at=None) | Q(last_ok_at__lt=now - NOTED_EVERY) | Q(failures__gt=0)
    Integration.objects.filter(stale, pk=integration_id).update(last_ok_at=now, failures=0)


def note_failure(integration_id: UUID, error: SendError) -> bool:
    """Remember what went wrong, in our words. True: it was the last straw, and it is in ``error``.

    Only refused credentials count towards that; a provider that is down is not the fault of the
    set-up.
    """
    now = timezone.now()
    changes = {
        "last_error_at": now,
        "last_error_code": error.code[:40],
        "last_error": error.user_message[:300],
    }
    rows = Integration.objects.filter(pk=integration_id)
    if not isinstance(error, AuthFailed):
        rows.update(**changes)
        return False
    with transaction.atomic():
        rows.update(failures=F("failures") + 1, **changes)
        opened = rows.filter(status=IntegrationStatus.ACTIVE, failures__gte=FAILURES).update(
            status=IntegrationStatus.ERROR, updated_at=now
        )
        if opened:
            _announce(rows.select_related("organisation", "created_by", "user").get())
    return bool(opened)


def _announce(integration: Integration) -> None:
    """Into the event log, and to who can mend it."""
    record_event(
        integration.organisation,
        "integration_failed",
        target=f"integration:{integration.pk}",
        data={"name": integration.name, "code": integration.last_error_code},
    )
    for person in _who_mends(integration):
        try:
            with transaction.atomic():
                # Above this module in its own room: notifications queue deliveries themselves.
                import_module("integrations_app.services.notifications").notify_user(
                    integration.organisation,
                    person,
                    title=f"{integration.name} was switched off",
                    body=(
                        f"{integration.last_error} This happened {FAILURES} times in a row, so "
                        "nothing is sent through it until its credentials are changed and tested."
                    ),
                    url=reverse("connections:integration", args=[integration.pk]),
                    category="integrations",
                    critical=True,
                    transaction_id=f"failed:{integration.pk}:{timezone.now():%Y%m%d%H%M}",
                )
        except DatabaseError:
            raise
        except Exception:
            logger.exception("nobody was told that integration %s failed", integration.pk)


def _who_mends(integration: Integration) -> list[User]:
    """Who set it up, and (unless it is a person's own) the admins."""
    found = {one.pk: one for one in (integration.created_by, integration.user) if one}
    if integration.user_id is None:
        admins = Membership.objects.active().filter(
            organisation=integration.organisation, role__in=[Role.ADMIN, Role.OWNER]
        )
        found |= {one.user_id: one.user for one in admins.select_related("user")}
    members = Membership.objects.active().filter(
        organisation=integration.organisation, user__in=list(found)
    )
    active = set(members.values_list("user_id", flat=True))
    return [person for key, person in found.items() if key in active]
