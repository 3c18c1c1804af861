"""Telling people that a limit is near or reached. Who tells them is registered from above."""

import logging
from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from billing_app.models import Wallet
from billing_app.runtime.spending import CREDITS, STOPPED, limit_of, remaining_of, standing_of
from one_project.accounts.services.events import record_event

logger = logging.getLogger(__name__)

Follower = Callable[[Wallet, str, str], None]

_followers: list[Follower] = []


def on_budget_warning(function: Follower) -> Follower:
    """Have ``function(wallet, kind, name)`` called in the transaction in which a wallet passes its
    soft limit (``kind`` "soft"), or reaches the hard one or refuses a call ("hard"): once for each
    wallet and kind. ``name`` says which limit, as people read it. What it raises is logged, and
    undoes nothing else."""
    if function not in _followers:
        _followers.append(function)
    return function


def look(wallet: Wallet) -> None:
    """Warn of limits that have been passed. The row is locked."""
    budget = wallet.budget
    if budget is None:
        if remaining_of(standing_of(None, wallet)).is_low:
            warn(wallet, "soft")
        return
    if not budget.is_active:
        return
    if budget.soft_limit is not None and wallet.spent >= budget.soft_limit:
        warn(wallet, "soft")
    if budget.hard_limit is not None and wallet.spent >= budget.hard_limit:
        warn(wallet, "hard")


def warn(wallet: Wallet, kind: str) -> None:
    """Record the event and tell who is registered, if this is the first time."""
    rows = Wallet.objects.filter(pk=wallet.pk)
    if kind == "soft":
        first = rows.filter(warned_at=None).update(warned_at=timezone.now())
    else:
        stopped = {**wallet.meta, STOPPED: timezone.now().isoformat()}
        first = rows.exclude(meta__has_key=STOPPED).update(meta=stopped)
    if first:
        _tell(wallet, kind)


def _tell(wallet: Wallet, kind: str) -> None:
    budget = wallet.budget
    name = CREDITS if budget is None else limit_of(budget).name
    data = {"kind": kind, "name": name, "spent": str(wallet.spent)}
    if budget is not None:
        data |= {"budget": str(budget.pk), "subject": str(wallet.subject_id or "")}
    record_event(wallet.organisation, "budget_warning", target=f"wallet:{wallet.pk}", data=data)
    for function in _followers:
        try:
            with transaction.atomic():
                function(wallet, kind, name)
        except Exception:
            # The usage that led here must be recorded whatever they do.
            logger.exception("a budget warning was not told")
