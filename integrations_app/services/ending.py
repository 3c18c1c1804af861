"""How a notification ends, and how its run hears of the end of a delivery."""

import logging
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from integrations_app.models import Delivery, Notification
from integrations_app.services.collecting import hand_on
from integrations_app.services.facts import WORDS
from integrations_app.services.settling import on_settled
from integrations_app.services.way import tell
from integrations_app.types import DeliveryStatus, Reason
from one_project.workflows.definitions import step
from one_project.workflows.errors import WorkflowFinished
from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.runs import send_event
from one_project.workflows.types import Result

logger = logging.getLogger(__name__)

SOURCE: Final = "notification"


def locked(notification_id: UUID) -> Notification | None:
    """The row, with its person and organisation, for the rest of the transaction."""
    rows = Notification.objects.select_for_update(of=("self",))
    return rows.select_related("user", "organisation").filter(pk=notification_id).first()


_REST: Final = {
    Reason.DIGESTED: "Told together with others.",
    Reason.THROTTLED: "Not done: enough of these were sent already.",
    Reason.STEP_FAILED: "Not done: an earlier step failed.",
    Reason.CANCELED: "Not done: it was canceled.",
}


@step(kind="transaction", name="integrations_app.end_notification")
def end(notification_id: UUID, rest: list[str], reason: str) -> None:
    """Nothing more happens; ``rest``: the steps that were not taken, and why."""
    row = locked(notification_id)
    if row is None or row.ended_at is not None:
        return
    for name in rest:
        tell(row, reason, step=name, text=_REST.get(Reason(reason), ""))
    row.ended_at = timezone.now()
    row.save(update_fields=["ended_at", "updated_at"])
    hand_on(row)


@step(kind="transaction", name="integrations_app.notification_over")
def run_over(result: Result, context: dict[str, Any]) -> None:
    """Its run has ended, in whatever way: so has it."""
    row = locked(UUID(context["notification"]))
    # Another run than this one: it leads a digest meanwhile.
    if row is None or row.ended_at is not None or row.run_id not in (None, result.id):
        return
    if result.kind == "error":
        logger.error("the run of notification %s failed: %s", row.pk, result.error_kind)
        tell(row, Reason.STEP_FAILED, text="It could not be finished.")
    elif result.kind == "canceled":
        tell(row, Reason.CANCELED)
    row.ended_at = timezone.now()
    row.save(update_fields=["ended_at", "updated_at"])
    hand_on(row)


def settled_event(name: str) -> str:
    """What the run waits for where a later step asks how a delivery ended."""
    return f"settled {name}"


@on_settled(SOURCE)
def tell_run(delivery: Delivery) -> None:
    """Wake the run of a notification whose delivery has ended."""
    run_id = delivery.notification and delivery.notification.run_id
    run = run_id and WorkflowRun.objects.filter(pk=run_id).first()
    if not run or not run.is_open:
        return
    word = WORDS[DeliveryStatus(delivery.status)]
    try:
        send_event(run, settled_event(delivery.step), word, key=str(delivery.pk))
    except WorkflowFinished:
        return
