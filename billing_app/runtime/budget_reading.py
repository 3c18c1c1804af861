"""How full budgets are now, for pages: what is spent, what is reserved, where the limits are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db.models import Q

from billing_app.models import Budget, BudgetScope, BudgetWindow, Wallet
from billing_app.runtime.charts import BAR_LENGTH, bar_length
from billing_app.types.money import ZERO
from billing_app.types.periods import window_start
from one_project.accounts.models import TeamMember

# The fullest are shown.
MOST: Final = 6


@dataclass(frozen=True, slots=True)
class BudgetBar:
    """Amounts in US dollars. ``scope`` "" is the credits, whose ``hard`` is what was granted."""

    scope: str
    subject_id: UUID | None
    window: str
    spent: Decimal
    reserved: Decimal
    soft: Decimal | None
    hard: Decimal | None

    @property
    def whole(self) -> Decimal:
        """What the length of the bar stands for."""
        return max(self.hard or self.soft or ZERO, self.spent + self.reserved)

    @property
    def spent_length(self) -> int:
        return bar_length(self.spent, self.whole)

    @property
    def reserved_length(self) -> int:
        return min(bar_length(self.reserved, self.whole), BAR_LENGTH - self.spent_length)

    @property
    def soft_at(self) -> int | None:
        return None if self.soft is None else bar_length(self.soft, self.whole)

    @property
    def is_used_up(self) -> bool:
        return self.hard is not None and self.spent >= self.hard

    @property
    def is_low(self) -> bool:
        return self.is_used_up or (self.soft is not None and self.spent >= self.soft)

    @property
    def fullness(self) -> Decimal:
        limit = self.hard if self.hard is not None else self.soft
        if limit is None:
            return ZERO
        return self.spent / limit if limit else Decimal(1)


def budget_bars(
    organisation_id: UUID, now: datetime, user_id: UUID | None = None
) -> list[BudgetBar]:
    """Those of the windows that ``now`` is in, the organisation's own first, then the fullest.

    With ``user_id`` only those of the person and of their teams. A budget that nobody has spent
    of has no wallet yet, and is shown empty where it is for one subject.
    """
    budgets = Budget.objects.filter(organisation_id=organisation_id, is_active=True)
    theirs = Q()
    if user_id is not None:
        teams = TeamMember.objects.filter(user_id=user_id, team__organisation_id=organisation_id)
        theirs = Q(subject_id=user_id) | Q(subject_id__in=teams.values("team_id"))
        budgets = budgets.filter(scope__in=(BudgetScope.USER, BudgetScope.TEAM))
        budgets = budgets.filter(theirs | Q(subject_id=None))
    known = {budget.pk: budget for budget in budgets}
    starts = Q(budget=None) if user_id is None else Q()
    for window in BudgetWindow.values:
        here = [budget.pk for budget in known.values() if budget.window == window]
        if here:
            starts |= Q(budget_id__in=here, window_start=window_start(window, now))
    if not starts:
        return []
    wallets = list(Wallet.objects.filter(starts & theirs, organisation_id=organisation_id))
    return _sorted([*_used(wallets, known), *_unused(wallets, known, user_id)])


def _used(wallets: Iterable[Wallet], known: dict[UUID, Budget]) -> Iterable[BudgetBar]:
    for wallet in wallets:
        if wallet.budget_id is None:
            if wallet.granted > 0:
                yield BudgetBar("", None, "", wallet.spent, wallet.reserved, None, wallet.granted)
            continue
        yield _bar(known[wallet.budget_id], wallet.subject_id, wallet.spent, wallet.reserved)


def _unused(
    wallets: Iterable[Wallet], known: dict[UUID, Budget], user_id: UUID | None
) -> Iterable[BudgetBar]:
    used = {wallet.budget_id for wallet in wallets}
    for budget in known.values():
        if budget.pk in used:
            continue
        subject = budget.subject_id
        if subject is None and budget.scope == BudgetScope.USER:
            subject = user_id
        if subject is not None or budget.scope == BudgetScope.ORGANISATION:
            yield _bar(budget, subject, ZERO, ZERO)


def _bar(budget: Budget, subject: UUID | None, spent: Decimal, reserved: Decimal) -> BudgetBar:
    soft, hard = budget.soft_limit, budget.hard_limit
    return BudgetBar(budget.scope, subject, budget.window, spent, reserved, soft, hard)


def _sorted(bars: Iterable[BudgetBar]) -> list[BudgetBar]:
    own = ("", BudgetScope.ORGANISATION)
    return sorted(bars, key=lambda bar: (bar.scope not in own, -bar.fullness))
