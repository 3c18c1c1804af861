"""Limits for the pages to show: one that was passed where people are warned, one nearly used up."""

from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db.models import Sum
from django.utils import timezone

from billing_app.models import Budget, BudgetScope, BudgetWindow, UsageRecord
from billing_app.services.budget_settings import set_budget
from billing_app.types.money import ZERO, to_cents
from billing_app.types.periods import bounds, period_of
from one_project.accounts.models import Membership, Organisation, Role

# Where nothing has been spent this month.
LEAST: Final = Decimal(1)
WARNED: Final = Decimal("0.8")
STOPPED: Final = Decimal("1.6")
NEARLY: Final = Decimal("1.04")


def set_demo_budgets(organisation: Organisation) -> list[Budget]:
    """The organisation's month, past its soft limit, and that of one of its members, nearly used
    up. Where there are budgets already, they stay as they are."""
    if Budget.objects.filter(organisation=organisation).exists():
        return []
    used = _spent(organisation)
    made = [
        set_budget(
            organisation,
            scope=BudgetScope.ORGANISATION,
            window=BudgetWindow.MONTH,
            soft_limit=to_cents(used * WARNED),
            hard_limit=to_cents(used * STOPPED),
        )
    ]
    people = Membership.objects.active().filter(organisation=organisation, role=Role.MEMBER)
    member = people.order_by("user__email").first()
    if member is not None:
        hard = to_cents(_spent(organisation, member.user_id) * NEARLY)
        made.append(
            set_budget(
                organisation,
                scope=BudgetScope.USER,
                subject_id=member.user_id,
                window=BudgetWindow.MONTH,
                soft_limit=to_cents(hard * WARNED),
                hard_limit=hard,
            )
        )
    return made


def _spent(organisation: Organisation, user_id: UUID | None = None) -> Decimal:
    """This month so far; LEAST where that is less."""
    since, until = bounds(period_of(timezone.now()))
    records = UsageRecord.objects.filter(
        organisation=organisation, occurred_at__gte=since, occurred_at__lt=until
    )
    if user_id is not None:
        records = records.filter(user_id=user_id)
    return max(LEAST, records.aggregate(sum=Sum("cost"))["sum"] or ZERO)
