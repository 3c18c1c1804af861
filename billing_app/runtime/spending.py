"""Which limits hold for a call, and what they say to people. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from billing_app.models import Budget, BudgetScope, BudgetWindow, UsageRecord, Wallet
from billing_app.types.money import ZERO, spoken
from billing_app.types.periods import next_period, window_start
from billing_app.types.usage import Remaining, Spender

# Credits of which no more than this share of the last gift's balance is left are low.
LOW: Final = Decimal("0.1")
CREDITS: Final = "credits"
# In ``Wallet.meta``: what the credits were after the last gift; when something was first refused.
FULL: Final = "full"
STOPPED: Final = "stopped_at"
NAMES: Final = {
    BudgetScope.ORGANISATION: "the organisation's budget",
    BudgetScope.TEAM: "the team's budget",
    BudgetScope.USER: "your budget",
    BudgetScope.AGENT: "the agent's budget",
}
WHO: Final = {
    BudgetScope.ORGANISATION: "Your organisation has",
    BudgetScope.TEAM: "Your team has",
    BudgetScope.USER: "You have",
    BudgetScope.AGENT: "This agent has",
}
HOW: Final = "an admin can raise it under Billing, Budgets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A budget as it stands. Limits in US dollars; ``subject_id`` as in ``Budget``."""

    id: UUID
    scope: str
    subject_id: UUID | None
    window: str
    soft: Decimal | None
    hard: Decimal | None
    is_active: bool = True

    @property
    def name(self) -> str:
        """As people read it: ``your budget for the month``."""
        return f"{NAMES[BudgetScope(self.scope)]} for the {self.window}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All that may hold for calls of an organisation."""

    is_prepaid: bool = False
    budgets: tuple[Limit, ...] = ()

    def holding_for(self, spender: Spender) -> "Limits":
        """Those that hold for the spender now."""
        held = (
            limit
            for limit in self.budgets
            if limit.is_active and holds_for(limit.scope, limit.subject_id, spender)
        )
        return replace(self, budgets=tuple(held))

    def __bool__(self) -> bool:
        return self.is_prepaid or bool(self.budgets)


@dataclass(frozen=True, slots=True)
class WalletKey:
    """Which wallet of an organisation; all None: its credits."""

    budget_id: UUID | None = None
    subject_id: UUID | None = None
    window_start: date | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A limit and what its wallet holds. ``limit`` None: the credits, ``allowed`` what was ever
    granted, ``full`` what was there after the last gift; ``allowed`` None: there is no hard limit.
    """

    limit: Limit | None
    allowed: Decimal | None
    spent: Decimal
    reserved: Decimal = ZERO
    full: Decimal = ZERO

    @property
    def free(self) -> Decimal | None:
        """What may still be reserved; below zero when more was spent. None: without end."""
        return None if self.allowed is None else self.allowed - self.spent - self.reserved

    @property
    def is_shut(self) -> bool:
        """A hard limit of nothing: it stops also what costs nothing."""
        return self.limit is not None and self.limit.hard == ZERO


def limit_of(budget: Budget) -> Limit:
    """The budget of a row."""
    return Limit(
        id=budget.pk,
        scope=budget.scope,
        subject_id=budget.subject_id,
        window=budget.window,
        soft=budget.soft_limit,
        hard=budget.hard_limit,
        is_active=budget.is_active,
    )


def standing_of(limit: Limit | None, wallet: Wallet | None, *, spent: Decimal = ZERO) -> Standing:
    """``spent``: where there is no wallet yet."""
    held = wallet or Wallet(spent=spent)
    allowed = Decimal(held.granted) if limit is None else limit.hard
    full = Decimal(held.meta.get(FULL, held.granted)) if limit is None else ZERO
    return Standing(limit, allowed, Decimal(held.spent), Decimal(held.reserved), full)


def subject_of(scope: str, owner: Spender | UsageRecord) -> UUID | None:
    """Whose wallet it is: the person's, the team's or the agent's; None for an organisation."""
    if scope == BudgetScope.USER:
        return owner.user_id
    if scope == BudgetScope.TEAM:
        return owner.team_id
    return owner.agent_id if scope == BudgetScope.AGENT else None


def holds_for(scope: str, subject_id: UUID | None, owner: Spender | UsageRecord) -> bool:
    """Whether a budget holds for what ``owner`` spends: one without subject, for everyone that is
    of its scope at all."""
    own = subject_of(scope, owner)
    if scope == BudgetScope.ORGANISATION:
        return True
    return own is not None and subject_id in {None, own}


def key_of(limit: Limit, owner: Spender | UsageRecord, moment: datetime) -> WalletKey:
    """The wallet of a limit that holds for ``owner``."""
    start = window_start(limit.window, moment)
    return WalletKey(limit.id, subject_of(limit.scope, owner), start)


def window_bounds(window: str, start: date) -> tuple[datetime, datetime]:
    """From (inclusive) and to (exclusive), in UTC."""
    end = next_period(start) if window == BudgetWindow.MONTH else start + timedelta(days=1)
    return (
        datetime(start.year, start.month, start.day, tzinfo=UTC),
        datetime(end.year, end.month, end.day, tzinfo=UTC),
    )


def tightest(standings: Iterable[Standing]) -> Standing | None:
    """The one that says no first; None where nothing has a hard limit."""
    hard = [standing for standing in standings if standing.free is not None]
    return min(hard, key=lambda standing: standing.free or ZERO, default=None)


def covered(standings: Iterable[Standing], most: Decimal, least: Decimal) -> Decimal | None:
    """How much of ``most`` may be reserved; None where not even ``least`` may."""
    told = tuple(standings)
    if any(standing.is_shut for standing in told):
        return None
    tight = tightest(told)
    if tight is None or tight.free is None or most == ZERO or tight.free >= most:
        return most
    return tight.free if ZERO < least <= tight.free else None


def remaining_of(standing: Standing) -> Remaining:
    """For people, without what is reserved for calls that are under way."""
    limit, allowed = standing.limit, standing.allowed or ZERO
    left = max(allowed - standing.spent, ZERO)
    if limit is None:
        name, window, is_low = CREDITS, "", left <= standing.full * LOW
    else:
        soft = limit.soft if limit.soft is not None else allowed * (1 - LOW)
        name, window, is_low = limit.name, limit.window, standing.spent >= soft
    return Remaining(
        name=name,
        limit=allowed,
        used=standing.spent,
        left=left,
        is_low=is_low or left == ZERO,
        window=window,
    )


def refusal(standing: Standing, moment: datetime) -> str:
    """Which limit says no, and what to do."""
    limit, allowed = standing.limit, standing.allowed or ZERO
    left = allowed - standing.spent
    if limit is None:
        if left <= ZERO:
            return "Your organisation has used its credits. An admin can add more under Billing."
        return (
            f"Your organisation has {spoken(left)} of credits left, which does not cover this "
            "answer. An admin can add more under Billing."
        )
    if limit.hard == ZERO:
        return f"Nothing may be spent here: {limit.name} is $0.00; {HOW}."
    span = "for today" if limit.window == BudgetWindow.DAY else "for this month"
    used = f"{WHO[BudgetScope(limit.scope)]} used {spoken(standing.spent)} of {spoken(allowed)}"
    short = "" if left <= ZERO else ", and what is left does not cover this answer"
    return f"{used} {span}{short}. It starts anew {_anew(limit.window, moment)}; {HOW}."


def _anew(window: str, moment: datetime) -> str:
    if window == BudgetWindow.DAY:
        return "at 00:00 UTC"
    first = next_period(window_start(window, moment))
    return f"on 1 {first:%B}, 00:00 UTC"
