"""Days of made-up calls written as real ones are: budgets and sums by day know of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from uuid import UUID

from django.db import transaction

from billing_app.models import Wallet
from billing_app.runtime.spending import Limit
from billing_app.services.demo_usage.calendar import Day
from billing_app.services.demo_usage.rows import Cast, write_rows
from billing_app.services.rolling_up import hold_off, look_again_from
from billing_app.services.wallets import keep_out_makers, key_of_wallet, spent_in


@transaction.atomic
def write_days(
    cast: Cast, days: Sequence[Day], *, late: bool | None = None, recorded: datetime | None = None
) -> int:
    """As ``write_rows``, in one transaction with what is counted of them."""
    # The rows say that they were recorded long ago: the next summing up is told to look there.
    hold_off()
    written = write_rows(cast, days, late=late, recorded=recorded)
    if written:
        organisation_ids = [house.organisation_id for house in cast.houses]
        keep_out_makers(organisation_ids)
        _count_anew(organisation_ids, days)
        look_again_from(datetime.combine(days[0].day, time(), UTC))
    return written


def _count_anew(organisation_ids: Sequence[UUID], days: Sequence[Day]) -> None:
    """What was spent of budgets whose window is among these days. Once their wallets are locked,
    every call that is counted in them can be seen, and no other."""
    wallets = (
        Wallet.objects.filter(
            organisation_id__in=organisation_ids,
            budget__isnull=False,
            window_start__gte=days[0].day.replace(day=1),
            window_start__lte=days[-1].day,
        )
        .select_related("budget")
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
    for wallet in wallets:
        budget = wallet.budget
        assert budget is not None
        limit = Limit(
            id=budget.pk,
            scope=budget.scope,
            subject_id=budget.subject_id,
            window=budget.window,
            soft=budget.soft_limit,
            hard=budget.hard_limit,
            is_active=budget.is_active,
        )
        wallet.spent = spent_in(wallet.organisation_id, key_of_wallet(wallet), limit)
        wallet.save(update_fields=["spent", "updated_at"])
