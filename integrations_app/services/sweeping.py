"""Deliveries that nobody carries any more: their work was canceled, or felled ten workers."""

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from integrations_app.models import Delivery
from integrations_app.services.attempts import HUNG_AFTER
from integrations_app.services.delivering import STEP, deliver, pool_of
from integrations_app.types import DeliveryStatus
from one_project.workflows.models import WorkItem
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import OPEN

LATE: Final = HUNG_AFTER + timedelta(seconds=60)
BATCH: Final = 500


def carry_the_forgotten() -> int:
    """Give what is long due new work, unless some is open; how many. Once an hour for each."""
    now = timezone.now()
    rows = Delivery.objects.filter(
        status__in=[DeliveryStatus.QUEUED, DeliveryStatus.SENDING], next_attempt_at__lt=now - LATE
    ).order_by("next_attempt_at")[:BATCH]
    due = {str(one.meta.get("again") or one.meta.get("work")): one for one in rows}
    known = WorkItem.objects.filter(
        pk__in=[key for key in due if len(key) == 36], status__in=OPEN, function=STEP
    )
    carried = {str(key) for key in known.values_list("pk", flat=True)}
    for key, delivery in due.items():
        if key in carried:
            continue
        # Together, or a worker changes the row between the two.
        with transaction.atomic():
            item = enqueue(
                deliver.options(pool=pool_of(delivery.organisation_id)),
                delivery.pk,
                organisation_id=delivery.organisation_id,
                key=f"{delivery.pk}:{now:%Y%m%d%H}",
            )
            delivery.meta["again"] = str(item.pk)
            Delivery.objects.filter(pk=delivery.pk).update(meta=delivery.meta)
    return len(due.keys() - carried)
