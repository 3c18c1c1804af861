"""Setting budgets and prepaid accounts: what admins decide."""

from decimal import Decimal
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from billing_app.models import BillingAccount, Budget, BudgetScope, BudgetWindow, Wallet
from billing_app.runtime.spending import STOPPED, WalletKey, limit_of
from billing_app.services.wallets import open_wallets
from billing_app.types.money import ZERO, to_cents
from billing_app.types.periods import window_start
from one_project.accounts.models import Membership, Organisation, Team, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import InvalidInput

MOST: Final = Decimal(10) ** 9


def set_budget(
    organisation: Organisation,
    *,
    scope: str,
    subject_id: UUID | None = None,
    window: str = BudgetWindow.MONTH,
    soft_limit: Decimal | None = None,
    hard_limit: Decimal | None = None,
    by: User | None = None,
) -> Budget:
    """Set the one budget there is for this scope, subject and window, and switch it on.

    It holds from the next call on, and counts what was spent in its window before. Raises
    InvalidInput. Agents are not looked up: who offers them has seen that they are the
    organisation's.
    """
    _check_subject(organisation, scope, subject_id)
    if window not in BudgetWindow.values:
        raise InvalidInput("A budget is for a day or a month.")
    soft, hard = _amount(soft_limit), _amount(hard_limit)
    if soft is None and hard is None:
        raise InvalidInput("Please set a limit: from where to warn, or where to stop.")
    if soft is not None and hard is not None and soft > hard:
        raise InvalidInput("The limit to warn at cannot be above the one to stop at.")
    with transaction.atomic():
        budget, _ = Budget.objects.update_or_create(
            organisation=organisation,
            scope=scope,
            subject_id=subject_id,
            window=window,
            defaults={"soft_limit": soft, "hard_limit": hard, "is_active": True},
        )
        _forget_warnings(budget)
        _record(budget, "budget_set", by)
        if subject_id is not None or scope == BudgetScope.ORGANISATION:
            # So that pages show at once what was spent before; others have theirs on first need.
            key = WalletKey(budget.pk, subject_id, window_start(window, timezone.now()))
            transaction.on_commit(partial(open_wallets, organisation.pk, {key: limit_of(budget)}))
    return budget


def end_budget(budget: Budget, *, by: User | None = None) -> Budget:
    """Switch it off; what is spent is counted on, so that it may come back."""
    with transaction.atomic():
        Budget.objects.filter(pk=budget.pk).update(is_active=False)
        budget.is_active = False
        _record(budget, "budget_ended", by)
    return budget


def set_prepaid(
    organisation: Organisation, is_prepaid: bool, *, by: User | None = None
) -> BillingAccount:
    """From the next call on, the organisation pays from its credits, or no more."""
    with transaction.atomic():
        account, _ = BillingAccount.objects.update_or_create(
            organisation=organisation, defaults={"is_prepaid": is_prepaid}
        )
        data = {"is_prepaid": is_prepaid}
        record_event(organisation, "prepaid_set", actor=by, target="credits", data=data)
    return account


def _check_subject(organisation: Organisation, scope: str, subject_id: UUID | None) -> None:
    if scope not in BudgetScope.values:
        raise InvalidInput("A budget is of the organisation, a team, a person or an agent.")
    if subject_id is None:
        return
    if scope == BudgetScope.ORGANISATION:
        raise InvalidInput("The organisation's budget has no further subject.")
    people = Membership.objects.filter(organisation=organisation, user_id=subject_id)
    teams = Team.objects.filter(organisation=organisation, pk=subject_id)
    if scope == BudgetScope.USER and not people.exists():
        raise InvalidInput("This person is not in the organisation.")
    if scope == BudgetScope.TEAM and not teams.exists():
        raise InvalidInput("This team is not in the organisation.")


def _amount(limit: Decimal | None) -> Decimal | None:
    if limit is None:
        return None
    if not (limit.is_finite() and ZERO <= limit <= MOST):
        raise InvalidInput("A limit is an amount of US dollars, zero or more.")
    if limit != to_cents(limit):
        raise InvalidInput("A limit has whole cents.")
    return to_cents(limit)


def _forget_warnings(budget: Budget) -> None:
    """Who has room again is warned again."""
    wallets = Wallet.objects.filter(budget=budget)
    # In the order in which whoever settles locks them; an update goes as it likes.
    list(wallets.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    if budget.soft_limit is None:
        wallets.update(warned_at=None)
    else:
        wallets.filter(spent__lt=budget.soft_limit).update(warned_at=None)
    stopped = wallets.filter(meta__has_key=STOPPED)
    if budget.hard_limit is not None:
        stopped = stopped.filter(spent__lt=budget.hard_limit)
    for wallet in stopped:
        del wallet.meta[STOPPED]
        wallet.save(update_fields=["meta"])


def _record(budget: Budget, kind: str, by: User | None) -> None:
    data = {
        "scope": budget.scope,
        "subject": str(budget.subject_id or ""),
        "window": budget.window,
        "soft": str(budget.soft_limit if budget.soft_limit is not None else ""),
        "hard": str(budget.hard_limit if budget.hard_limit is not None else ""),
    }
    record_event(budget.organisation, kind, actor=by, target=f"budget:{budget.pk}", data=data)
