"""What answers and threads have cost, for those who see them: whoever asks has looked at rights."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Sum

from billing_app.models import Pricing, UsageRecord
from billing_app.types.costs import CallCost
from billing_app.types.money import ZERO

# Trials are no part of the conversation they try.
TRIALS = "playground"


def cost_of_messages(
    organisation_id: UUID, thread_id: UUID, keys: Collection[UUID]
) -> dict[UUID, CallCost]:
    """The cost of messages and turns of a thread, by their ids; one query.

    A call counts for the message it wrote, and for its turn. What took no call is left out.
    """
    found: dict[UUID, CallCost] = {}
    if not keys:
        return found
    rows = _conversation(organisation_id, thread_id)
    rows = rows.filter(Q(message_id__in=keys) | Q(turn_id__in=keys))
    for row in _summed(rows.values("message_id", "turn_id")):
        for key in {row.pop("message_id"), row.pop("turn_id")} - {None}:
            found[key] = found.get(key, CallCost()) + _cost(row)
    return found


def cost_of_thread(organisation_id: UUID, thread_id: UUID) -> CallCost:
    """The cost of a thread to date, its titles, summaries and searches included; one query."""
    rows = _conversation(organisation_id, thread_id).values("thread_id")
    return sum((_cost(row) for row in _summed(rows)), CallCost())


def cost_by_purpose(organisation_id: UUID, thread_id: UUID) -> dict[str, CallCost]:
    """The same by purpose (``answer``, ``title``, …); one query."""
    rows = _summed(_conversation(organisation_id, thread_id).values("purpose"))
    return {row["purpose"]: _cost(row) for row in rows.order_by("purpose")}


def _conversation(organisation_id: UUID, thread_id: UUID) -> QuerySet[UsageRecord]:
    rows = UsageRecord.objects.filter(organisation_id=organisation_id, thread_id=thread_id)
    return rows.exclude(purpose=TRIALS)


def _summed(rows: Any) -> Any:
    return rows.annotate(
        calls=Count("pk"),
        tokens=Sum(F("input_tokens") + F("output_tokens")),
        known=Sum("cost"),
        estimated=Count("pk", filter=Q(is_estimated=True)),
        missing=Count("pk", filter=Q(pricing=Pricing.MISSING)),
    )


def _cost(row: dict[str, Any]) -> CallCost:
    return CallCost(
        calls=row["calls"],
        tokens=row["tokens"] or 0,
        cost=row["known"] or ZERO,
        is_estimated=bool(row["estimated"]),
        is_missing=bool(row["missing"]),
    )
