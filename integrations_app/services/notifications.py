"""Telling people something: ``trigger``, ``notify_user``, ``cancel``."""

from collections.abc import Collection
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from integrations_app.errors import NotUsable
from integrations_app.models import Delivery, Notification
from integrations_app.runtime.step_kinds import READ, Delay, Email, InApp, Push
from integrations_app.services.collecting import hand_on
from integrations_app.services.notification_workflows import (
    GENERAL,
    define_notification,
    find_definition,
)
from integrations_app.services.triggering import (
    Recipients,
    begin,
    checked_payload,
    recipients_of,
    write_rows,
)
from integrations_app.services.way import tell
from integrations_app.types import ChannelType, DeliveryStatus, Reason
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.ids import new_id
from one_project.common.text import clean_line, clean_text
from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.runs import cancel_run

MAX_TRANSACTION: Final = 120

NOTIFY_USER: Final = define_notification(
    key="notify-user",
    name="A message to a person",
    description="What agents and the house itself tell somebody: in the app at once, and by "
    "e-mail when it was not read within ten minutes.",
    steps=[
        InApp(
            id="inbox",
            title="{{ payload.title }}",
            body="{{ payload.body }}",
            url="{{ payload.url }}",
        ),
        Push(id="push", title="{{ payload.title }}", body="{{ payload.body }}"),
        Delay(id="patience", seconds=600),
        Email(
            id="mail",
            subject="{{ payload.title }}",
            body="{{ payload.title }}\n\n{{ payload.body }}",
            skip=READ,
        ),
    ],
)


@transaction.atomic
def trigger(
    organisation: Organisation,
    workflow_key: str,
    *,
    to: Recipients,
    payload: dict[str, Any] | None = None,
    by: User | None = None,
    transaction_id: str | None = None,
    channels: Collection[str] | None = None,
    category: str | None = None,
    critical: bool | None = None,
) -> list[Notification]:
    """Begin a notification for everybody of ``to``, in the caller's transaction: a row each.

    to: people, ids, e-mail addresses, topics, ``topic:key``, or a list of them. The same
    ``transaction_id`` of a workflow again returns the first rows and tells nobody twice. channels:
    only these ways are used. category, critical: instead of the definition's. Raises NotFound (no
    such notification or topic), InvalidInput, InvalidSettings (the payload), and NotUsable where
    the organisation has switched it off.
    """
    definition = find_definition(organisation, workflow_key)
    if not definition.is_active or not definition.steps:
        raise NotUsable("This notification is switched off.")
    if channels is not None and not set(channels) <= set(ChannelType.values):
        raise InvalidInput("There is no such channel.")
    if transaction_id is not None and not 0 < len(transaction_id) <= MAX_TRANSACTION:
        raise InvalidInput(f"A transaction_id has 1 to {MAX_TRANSACTION} characters.")
    checked = definition.checked(checked_payload(payload or {}))
    people = recipients_of(organisation, to)
    rows, new = write_rows(
        organisation,
        definition,
        people,
        payload=checked,
        by=by,
        transaction_id=clean_text(transaction_id or str(new_id())),
        category=category or definition.category,
        critical=definition.is_critical if critical is None else critical,
        ways=None if channels is None else sorted(channels),
    )
    begin(organisation, definition, new)
    return rows


def notify_user(
    organisation: Organisation,
    user: User,
    *,
    title: str,
    body: str,
    url: str = "",
    category: str = GENERAL,
    critical: bool = False,
    by: User | None = None,
    transaction_id: str | None = None,
) -> Notification | None:
    """Tell one person something, as the notification ``notify-user`` says; ``url``: a path of ours.

    None where the organisation has switched that off, or the person does not belong to it (any
    more). Raises InvalidInput for an empty title.
    """
    if not clean_line(title, 200):
        raise InvalidInput("Please say what it is about.")
    payload = {
        "title": clean_line(title, 200),
        "body": clean_text(body)[:4_000],
        "url": url,
    }
    try:
        rows = trigger(
            organisation,
            NOTIFY_USER.key,
            to=user,
            payload=payload,
            by=by,
            transaction_id=transaction_id,
            category=category,
            critical=critical,
        )
    except (NotUsable, InvalidInput):
        return None
    return rows[0] if rows else None


def cancel(
    organisation: Organisation,
    transaction_id: str,
    *,
    workflow_key: str | None = None,
    by: User | None = None,
) -> int:
    """End what this trigger has begun and not finished; how many people it concerns. What waits to
    be sent is not sent; what was sent, was."""
    rows = Notification.objects.filter(
        organisation=organisation, transaction_id=clean_text(transaction_id), ended_at=None
    )
    if workflow_key is not None:
        rows = rows.filter(workflow=workflow_key)
    ended = sum(_cancel(row, by) for row in rows)
    if ended:
        record_event(
            organisation,
            "notification_canceled",
            actor=by,
            target=f"transaction:{clean_line(transaction_id, 100)}",
            data={"people": ended},
        )
    return ended


@transaction.atomic
def _cancel(row: Notification, by: User | None) -> bool:
    # The run first, as its own steps do: its row is locked while they write this one.
    run = None
    if row.run_id is not None:
        run = WorkflowRun.objects.select_for_update().filter(pk=row.run_id).first()
    found = Notification.objects.select_for_update().filter(pk=row.pk, ended_at=None).first()
    if found is None:
        return False
    found.ended_at = timezone.now()
    found.save(update_fields=["ended_at", "updated_at"])
    tell(found, Reason.CANCELED, text=f"Canceled by {by.display_name}." if by else "")
    if run is not None and run.is_open:
        cancel_run(run)
    hand_on(found)
    _cancel_deliveries(found, by)
    return True


def _cancel_deliveries(row: Notification, by: User | None) -> None:
    from integrations_app.services.deliveries import cancel as cancel_delivery

    for delivery in Delivery.objects.filter(notification=row, status=DeliveryStatus.QUEUED):
        try:
            cancel_delivery(delivery, by=by)
        except Conflict:
            continue  # it is on its way
