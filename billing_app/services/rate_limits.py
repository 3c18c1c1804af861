"""Taking from rate limits, looking at them, giving back (rows RL-1 to RL-18).

Every verb but ``clear_all`` is one transaction, or part of the caller's: what was taken comes back
when that rolls back, and the row stays locked until it ends. So take limits late in a long
transaction, always in the same order, and never while a model or a provider is called.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from billing_app.errors import ImpossibleCount, RateLimited, UnknownLimit
from billing_app.models import RateLimitState
from billing_app.runtime.deciding import Decision, decide
from billing_app.types.rate_limits import LimitValue, RateLimit, Verdict, calculate, fresh
from one_project.accounts.models import Organisation

PAGE = 100

_defined: dict[str, RateLimit] = {}


def define_limit(name: str, limit: RateLimit) -> None:
    """Register ``limit`` under ``name``; do it in ``AppConfig.ready``."""
    if _defined.setdefault(name, limit) != limit:
        raise ValueError(f"Two different limits are defined as {name!r}.")


def limit(
    name: str,
    *,
    key: str = "",
    organisation: Organisation | None = None,
    count: float = 1,
    reserve: bool = False,
    config: RateLimit | None = None,
    throws: bool = False,
    now: datetime | None = None,
) -> Verdict:
    """Take ``count`` tokens. A refusal takes nothing.

    ``reserve`` takes them even when they are not there yet: ok, with the seconds to wait before
    doing the work. ``throws`` raises RateLimited for every wait, then nothing is reserved either.
    ``now`` replaces the clock of Postgres. Raises ImpossibleCount for what no waiting can give.
    """
    found = _find(name, config)
    _check_possible(name, found, count, reserve=reserve)
    with transaction.atomic(savepoint=False):
        rows, moment = _locked(name, key, organisation, found, _pick(found), now)
        states = [row.state for row in rows]
        decision = decide(states, found.per_shard(), moment, count, reserve=reserve)
        if not (throws and decision.retry_after is not None):
            _save(rows, decision)
    return _verdict(name, decision, throws=throws)


def check(
    name: str,
    *,
    key: str = "",
    organisation: Organisation | None = None,
    count: float = 1,
    reserve: bool = False,
    config: RateLimit | None = None,
    throws: bool = False,
    now: datetime | None = None,
) -> Verdict:
    """What ``limit`` would answer. It takes, writes and locks nothing."""
    found = _find(name, config)
    _check_possible(name, found, count, reserve=reserve)
    picked = _pick(found)
    rows, moment = _read(name, key, organisation, picked, now)
    states = [rows[shard].state if shard in rows else None for shard in picked]
    decision = decide(states, found.per_shard(), moment, count, reserve=reserve)
    return _verdict(name, decision, throws=throws)


def charge(
    name: str,
    count: float,
    *,
    key: str = "",
    organisation: Organisation | None = None,
    config: RateLimit | None = None,
    now: datetime | None = None,
) -> Verdict:
    """Take what was already used, whatever is left and whatever ``max_reserved`` says: a debt.

    ``retry_after`` is how long the debt keeps others waiting.
    """
    unbounded = replace(_find(name, config), max_reserved=None)
    return limit(
        name,
        key=key,
        organisation=organisation,
        count=count,
        reserve=True,
        config=unbounded,
        now=now,
    )


def refund(
    name: str,
    *,
    key: str = "",
    organisation: Organisation | None = None,
    count: float = 1,
    config: RateLimit | None = None,
    now: datetime | None = None,
) -> float:
    """Give back ``count`` tokens that were taken; returns how many found room.

    First what was gained since is counted, then the refund, and never beyond the capacity: a late
    refund cannot make a limit larger than it is. It pays debts first. Nobody remembers which
    tokens were whose: who calls it twice has refunded twice.
    """
    found = _find(name, config)
    _check_count(name, count)
    share, left = found.per_shard(), float(count)
    with transaction.atomic(savepoint=False):
        rows, moment = _read(name, key, organisation, range(found.shard_count), now, lock=True)
        current = [(row, calculate(row.state, share, moment)) for row in rows.values()]
        # The emptiest shard first, so that debts are paid and no shard overflows.
        for row, state in sorted(current, key=lambda each: each[1].value):
            given = min(left, share.size - state.value)
            if given > 0:
                row.value, row.at = min(state.value + given, share.size), state.at
                row.save(update_fields=["value", "at", "updated_at"])
                left -= given
    return count - left


def get_value(
    name: str,
    *,
    key: str = "",
    organisation: Organisation | None = None,
    config: RateLimit | None = None,
    sample_shards: int = 1,
    now: datetime | None = None,
) -> LimitValue:
    """What is left now in the fullest of ``sample_shards`` random shards.

    ``config`` in the answer is the limit of that one shard, so that ``calculate`` may go on from
    it; of an unsharded limit it is the whole.
    """
    found = _find(name, config)
    share = found.per_shard()
    wanted = max(1, min(sample_shards, found.shard_count))
    picked = random.sample(range(found.shard_count), wanted)
    rows, moment = _read(name, key, organisation, picked, now)
    states = {
        shard: calculate(rows[shard].state if shard in rows else None, share, moment)
        for shard in picked
    }
    shard, state = max(states.items(), key=lambda each: each[1].value)
    if share.kind == "fixed window":
        share = replace(share, start=state.at)
    return LimitValue(state.value, state.at, shard, share)


def reset(name: str, *, key: str = "", organisation: Organisation | None = None) -> None:
    """Make the limit full again, in all its shards."""
    rows = RateLimitState.objects.of(name, key=key, organisation=organisation)
    with transaction.atomic():
        # In the order in which whoever takes from it locks them: a plain delete goes by where rows
        # happen to lie, and the two would wait for each other.
        locked = list(rows.select_for_update().order_by("shard").values_list("pk", flat=True))
        RateLimitState.objects.filter(pk__in=locked).delete()


def clear_all(*, organisation: Organisation | None = None, before: datetime | None = None) -> int:
    """Make all limits full (of the organisation, or of all), in pages; returns how many rows went.

    ``before``: only rows made earlier than that.
    """
    rows = RateLimitState.objects.filter(created_at__lte=before or timezone.now())
    if organisation is not None:
        rows = rows.filter(organisation=organisation)
    cleared = 0
    while page := list(rows.order_by("pk").values_list("pk", flat=True)[:PAGE]):
        RateLimitState.objects.filter(pk__in=page).delete()
        cleared += len(page)
    return cleared


def _find(name: str, config: RateLimit | None) -> RateLimit:
    found = config or _defined.get(name)
    if found is None:
        raise UnknownLimit(f"No rate limit is called {name!r}; define it, or give its config.")
    return found


def _check_count(name: str, count: float) -> None:
    if not (math.isfinite(count) and count >= 0):
        raise ImpossibleCount(f"Rate limit {name} takes a count of 0 or more, not {count:g}.")


def _check_possible(name: str, found: RateLimit, count: float, *, reserve: bool) -> None:
    """Refuse what could not be taken if the limit were full (RL-4)."""
    _check_count(name, count)
    most = found.most
    if reserve:
        if found.max_reserved is None:
            return
        most += found.max_reserved * found.looked_at / found.shard_count
    if count > most:
        shards = f" at once, with {found.shard_count} shards" if found.shard_count > 1 else ""
        raise ImpossibleCount(f"Rate limit {name} count {count:g} exceeds {most:g}{shards}.")


def _pick(found: RateLimit) -> list[int]:
    """One random shard, or two of three and more; in the order in which everybody locks."""
    return sorted(random.sample(range(found.shard_count), found.looked_at))


def _read(
    name: str,
    key: str,
    organisation: Organisation | None,
    shards: Sequence[int],
    now: datetime | None,
    *,
    lock: bool = False,
) -> tuple[dict[int, RateLimitState], datetime]:
    """The rows there are, by shard, and the time: given, or of the database when there are rows."""
    rows = RateLimitState.objects.of(name, key=key, organisation=organisation)
    if lock:
        rows = rows.select_for_update(no_key=True)
    found = list(rows.filter(shard__in=shards).annotate(clock=Now()).order_by("shard"))
    clock = found[0].clock if found else timezone.now()  # type: ignore[attr-defined]
    return {row.shard: row for row in found}, now or clock


def _locked(
    name: str,
    key: str,
    organisation: Organisation | None,
    found: RateLimit,
    shards: Sequence[int],
    now: datetime | None,
) -> tuple[list[RateLimitState], datetime]:
    """The rows of ``shards``, locked, and made where they are missing."""
    while True:
        rows, moment = _read(name, key, organisation, shards, now, lock=True)
        if len(rows) == len(shards):
            return list(rows.values()), moment
        # All shards, in the order of the locks, so that nobody who makes rows waits for somebody
        # who waits for him. Others may make them at the same time, or delete them next: look again.
        share = found.per_shard()
        new = [(shard, fresh(share, moment)) for shard in range(found.shard_count)]
        RateLimitState.objects.bulk_create(
            [
                RateLimitState(
                    organisation=organisation,
                    name=name,
                    key=key,
                    shard=shard,
                    value=state.value,
                    at=state.at,
                )
                for shard, state in new
            ],
            ignore_conflicts=True,
        )


def _save(rows: Sequence[RateLimitState], decision: Decision) -> None:
    for place, state in decision.states.items():
        row = rows[place]
        row.value, row.at = state.value, state.at
        row.save(update_fields=["value", "at", "updated_at"])


def _verdict(name: str, decision: Decision, *, throws: bool) -> Verdict:
    if throws and decision.retry_after is not None:
        raise RateLimited(name, decision.retry_after)
    return Verdict(decision.ok, decision.retry_after)
