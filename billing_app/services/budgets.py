"""Holding back what a call may cost, and counting what it did (reserve, settle, release).

Nothing here is held while a model speaks: ``reserve`` is one short transaction before, ``settle``
part of the one that records the usage. Locks are taken in one order: makers of wallets out,
reservations, wallets by their keys.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from billing_app.conf import reservation_minutes
from billing_app.errors import BudgetExceeded
from billing_app.models import Reservation, ReservationStatus, UsageRecord, Wallet
from billing_app.runtime.spending import (
    Limit,
    Standing,
    WalletKey,
    covered,
    refusal,
    remaining_of,
    standing_of,
    tightest,
)
from billing_app.services.credits import settle_credits
from billing_app.services.wallets import (
    CREDITS,
    found_wallets,
    keep_out_makers,
    keys_of,
    keys_of_records,
    limits_for,
    limits_of,
    lock_wallets,
    make_credits,
    open_wallets,
    spent_in,
)
from billing_app.services.warnings import look, warn
from billing_app.types.money import ZERO
from billing_app.types.usage import Remaining, Spender
from one_project.common import metrics

SWEEP_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Reserved:
    """``amount`` is what the call may cost. ``id`` None: it costs nothing, so nothing is held."""

    id: UUID | None
    amount: Decimal


def applies(spender: Spender) -> bool:
    """Whether any budget or credits hold for the spender; one query."""
    return bool(limits_for(spender)[0])


def reserve(spender: Spender, amount: Decimal) -> UUID | None:
    """Hold back ``amount``; None where nothing limits the spender. Raises BudgetExceeded."""
    held = hold(spender, most=amount, least=amount)
    return held.id if held else None


def hold(spender: Spender, *, most: Decimal, least: Decimal) -> Reserved | None:
    """Hold back ``most``, or what is left where that is ``least`` at least; in all wallets of the
    call or in none. None where no hard limit and no credits hold for the spender.

    What costs nothing passes, except where a limit is nothing. Raises BudgetExceeded.
    """
    limits, spender = limits_for(spender)
    if not limits:
        return None
    moment = timezone.now()
    keys = keys_of(limits, spender, moment)
    hard = {key for key, limit in keys.items() if limit is None or limit.hard is not None}
    if keys.keys() - found_wallets(spender.organisation_id, keys).keys():
        open_wallets(spender.organisation_id, keys)
    if not hard:
        return None
    with transaction.atomic():
        wallets = found_wallets(spender.organisation_id, hard, lock=True)
        standings = {key: standing_of(keys[key], wallets.get(key)) for key in hard}
        amount = covered(standings.values(), most, least)
        if amount is not None:
            return _held(spender.organisation_id, wallets.values(), amount, moment)
        refusing = _refusing(standings)
        if wallet := wallets.get(refusing):
            warn(wallet, "hard")
    metrics.count("one_budget_refusals_total")
    raise BudgetExceeded(refusal(standings[refusing], moment))


def _held(
    organisation_id: UUID, wallets: Collection[Wallet], amount: Decimal, moment: datetime
) -> Reserved:
    if amount == ZERO:
        return Reserved(None, ZERO)
    ids = [wallet.pk for wallet in wallets]
    Wallet.objects.filter(pk__in=ids).update(reserved=F("reserved") + amount, updated_at=moment)
    reservation = Reservation.objects.create(
        organisation_id=organisation_id,
        wallet_ids=ids,
        amount=amount,
        expires_at=moment + timedelta(minutes=reservation_minutes()),
    )
    return Reserved(reservation.pk, amount)


def _refusing(standings: Mapping[WalletKey, Standing]) -> WalletKey:
    shut = [key for key, standing in standings.items() if standing.is_shut]
    tight = tightest(standings.values())
    return shut[0] if shut else next(key for key, one in standings.items() if one is tight)


def release(reservation_id: UUID) -> None:
    """Free what was held for a call of which nothing is recorded. Once; later ones do nothing."""
    with transaction.atomic():
        _free(_ended([reservation_id], ReservationStatus.RELEASED))


def sweep_reservations() -> int:
    """Free what was held for calls that never ended; returns for how many."""
    swept = 0
    while True:
        with transaction.atomic():
            due = Reservation.objects.filter(
                status=ReservationStatus.OPEN, expires_at__lte=timezone.now()
            )
            ids = due.order_by("expires_at").values_list("pk", flat=True)[:SWEEP_BATCH]
            # What somebody else is ending now is theirs.
            ended = list(ids.select_for_update(skip_locked=True))
            _free(_ended(ended, ReservationStatus.EXPIRED))
        swept += len(ended)
        if len(ended) < SWEEP_BATCH:
            return swept


def _ended(reservation_ids: Collection[UUID], status: str) -> dict[UUID, Decimal]:
    """End those that are open; returns what is free now, by wallet."""
    if not reservation_ids:
        return {}
    open_ones = Reservation.objects.filter(pk__in=reservation_ids, status=ReservationStatus.OPEN)
    rows = list(open_ones.select_for_update().order_by("pk"))
    Reservation.objects.filter(pk__in=[row.pk for row in rows]).update(
        status=status, ended_at=timezone.now()
    )
    freed: dict[UUID, Decimal] = {}
    for row in rows:
        for wallet_id in row.wallet_ids:
            freed[wallet_id] = freed.get(wallet_id, ZERO) + row.amount
    return freed


def _free(freed: Mapping[UUID, Decimal]) -> None:
    wallets = lock_wallets({}, freed.keys()) if freed else []
    for wallet in wallets:
        wallet.reserved -= freed[wallet.pk]
    _save(wallets)


def settle(
    records: Sequence[UsageRecord],
    reservation_ids: Collection[UUID],
    *,
    are_makers_out: bool = False,
) -> None:
    """Count what was just recorded, each record once, and end what was held for it.

    In the transaction that records (or that fills in the prices): the wallets stay locked until
    it ends, so call it late. One that has expired frees nothing; its spending counts all the same.
    ``are_makers_out``: writing the records has kept them out.
    """
    with transaction.atomic(savepoint=False):
        spent = _by_organisation(records)
        if not are_makers_out:
            keep_out_makers(spent)
        freed = _ended(reservation_ids, ReservationStatus.SETTLED)
        told = {key: limits_of(key, own) for key, own in spent.items()}
        wanted = {
            key: keys_of_records(limits, spent[key]) for key, limits in told.items() if limits
        }
        for organisation_id, keys in wanted.items():
            if CREDITS in keys:
                make_credits(organisation_id)
        if not wanted and not freed:
            return
        wallets = lock_wallets(wanted, freed.keys())
        for wallet in wallets:
            key = WalletKey(wallet.budget_id, wallet.subject_id, wallet.window_start)
            _, own = wanted.get(wallet.organisation_id, {}).get(key, (None, []))
            wallet.reserved -= freed.get(wallet.pk, ZERO)
            if key == CREDITS:
                settle_credits(wallet, own)
            else:
                wallet.spent += sum((record.cost or ZERO for record in own), ZERO)
        _save(wallets)
        for wallet in wallets:
            look(wallet)
        for organisation_id, keys in wanted.items():
            _open_missing(organisation_id, keys, wallets)


def _by_organisation(records: Sequence[UsageRecord]) -> dict[UUID, list[UsageRecord]]:
    """Those that cost something and are somebody's."""
    spent: dict[UUID, list[UsageRecord]] = {}
    for record in records:
        if record.organisation_id is not None and record.cost:
            spent.setdefault(record.organisation_id, []).append(record)
    return spent


def _open_missing(
    organisation_id: UUID,
    keys: Mapping[WalletKey, tuple[Limit | None, list[UsageRecord]]],
    wallets: Sequence[Wallet],
) -> None:
    """Wallets of this window that nobody has asked for yet, once the records are there to sum."""
    known = {WalletKey(row.budget_id, row.subject_id, row.window_start) for row in wallets}
    missing = {
        key: limit
        for key, (limit, _) in keys.items()
        if key not in known and limit is not None and limit.is_active
    }
    if missing:
        transaction.on_commit(partial(_open, organisation_id, missing), robust=True)


def _open(organisation_id: UUID, missing: Mapping[WalletKey, Limit]) -> None:
    """Make them, and warn of those whose limit is passed by what is in them already."""
    open_wallets(organisation_id, missing)
    with transaction.atomic():
        for wallet in lock_wallets({organisation_id: missing}):
            look(wallet)


def _save(wallets: Sequence[Wallet]) -> None:
    """One statement; the rows are locked."""
    moment = timezone.now()
    for wallet in wallets:
        wallet.updated_at = moment
    Wallet.objects.bulk_update(wallets, ["spent", "reserved", "updated_at"])


def standings(spender: Spender) -> list[Standing]:
    """What holds for the spender now, as it stands."""
    limits, spender = limits_for(spender)
    if not limits:
        return []
    organisation_id = spender.organisation_id
    keys = keys_of(limits, spender, timezone.now())
    wallets = found_wallets(organisation_id, keys)
    missing = {key: limit for key, limit in keys.items() if limit and key not in wallets}
    if missing and not connection.in_atomic_block:
        # Summed up once, and not at every look; inside a transaction its locks would stay too long.
        open_wallets(organisation_id, missing)
        wallets = found_wallets(organisation_id, keys)
    return [
        standing_of(limit, wallets[key])
        if key in wallets
        else standing_of(limit, None, spent=spent_in(organisation_id, key, limit))
        for key, limit in keys.items()
    ]


def remaining(spender: Spender) -> Remaining | None:
    """What is left of the tightest hard limit or the credits; None where none hold.

    What is held for calls under way counts as left: mostly they cost far less.
    """
    tight = _tightest_spent(standings(spender))
    return remaining_of(tight) if tight else None


def check(spender: Spender, *, is_free: bool = False) -> None:
    """Raises BudgetExceeded where nothing is left, before anything is begun.

    ``is_free``: the model costs nothing; then only a limit of nothing refuses.
    """
    found = standings(spender)
    shut = next((standing for standing in found if standing.is_shut), None)
    tight = shut or (None if is_free else _tightest_spent(found))
    if tight is not None and remaining_of(tight).left == ZERO:
        raise BudgetExceeded(refusal(tight, timezone.now()))


def _tightest_spent(found: Sequence[Standing]) -> Standing | None:
    return tightest(replace(each, reserved=ZERO) for each in found)
