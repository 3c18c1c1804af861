"""The rows that spending is counted in: found, made with what was spent before, and locked.

A wallet is made with the sum of the usage of its window. Whoever makes one and whoever records
usage keep out of each other's way (``keep_out_makers``, ``_keep_out_records``: locks of the
organisation until the transaction ends), so that each record is either in that sum or is added to
the wallet, never both and never neither. Makers take their lock first and nothing else, so nobody
waits in a circle.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import FilteredRelation, Q, Sum
from psycopg import sql

from billing_app.models import BudgetScope, UsageRecord, Wallet
from billing_app.runtime.spending import (
    Limit,
    Limits,
    WalletKey,
    holds_for,
    key_of,
    window_bounds,
)
from billing_app.types.money import ZERO
from billing_app.types.usage import Spender
from one_project.accounts.models import Organisation, TeamMember

CREDITS: Final = WalletKey()
# The seed of the locks' names; others have others.
_SEED: Final = 8
# ``keep_out_makers`` within a statement over rows of usage; nothing where there is no organisation.
MAKERS_OUT: Final = sql.SQL(
    "pg_advisory_xact_lock_shared(hashtextextended(organisation_id::text, {}))::text"
).format(sql.Literal(_SEED))


def limits_of(organisation_id: UUID, owners: Iterable[Spender | UsageRecord]) -> Limits:
    """What may hold for the owners, inactive ones included: one query."""
    ids = {each for owner in owners for each in (owner.user_id, owner.team_id, owner.agent_id)}
    theirs = (
        Q(budgets__subject_id__isnull=True)
        | Q(budgets__subject_id__in=ids - {None})
        | Q(budgets__scope=BudgetScope.TEAM)  # whose team it is, is looked up where there are such
    )
    rows = (
        Organisation.objects.filter(pk=organisation_id)
        .annotate(budget=FilteredRelation("budgets", condition=theirs))
        .values_list(
            "billing_account__is_prepaid",
            "budget__id",
            "budget__scope",
            "budget__subject_id",
            "budget__window",
            "budget__soft_limit",
            "budget__hard_limit",
            "budget__is_active",
        )
    )
    is_prepaid, budgets = False, []
    for prepaid, key, scope, subject_id, window, soft, hard, is_active in rows:
        is_prepaid = bool(prepaid)
        if key is not None:
            budgets.append(
                Limit(
                    id=key,
                    scope=scope,
                    subject_id=subject_id,
                    window=window,
                    soft=soft,
                    hard=hard,
                    is_active=is_active,
                )
            )
    return Limits(is_prepaid=is_prepaid, budgets=tuple(budgets))


def limits_for(spender: Spender) -> tuple[Limits, Spender]:
    """What holds for the spender now, and the spender with its team: one query, two where budgets
    of teams are."""
    limits = limits_of(spender.organisation_id, [spender])
    teams = any(limit.scope == BudgetScope.TEAM for limit in limits.budgets)
    if teams and spender.team_id is None and spender.user_id is not None:
        spender = replace(spender, team_id=_team_of(spender.organisation_id, spender.user_id))
    return limits.holding_for(spender), spender


def _team_of(organisation_id: UUID, user_id: UUID) -> UUID | None:
    """The one the person has been in longest, as usage is recorded."""
    found = TeamMember.objects.filter(team__organisation_id=organisation_id, user_id=user_id)
    return found.order_by("pk").values_list("team_id", flat=True).first()


def keys_of(limits: Limits, spender: Spender, moment: datetime) -> dict[WalletKey, Limit | None]:
    """The wallets of limits that hold, credits among them."""
    keys: dict[WalletKey, Limit | None] = {
        key_of(limit, spender, moment): limit for limit in limits.budgets
    }
    return keys | {CREDITS: None} if limits.is_prepaid else keys


def key_of_wallet(wallet: Wallet) -> WalletKey:
    return WalletKey(wallet.budget_id, wallet.subject_id, wallet.window_start)


def found_wallets(
    organisation_id: UUID, keys: Collection[WalletKey], *, lock: bool = False
) -> dict[WalletKey, Wallet]:
    """Those there are. ``lock``: until the transaction ends, in the order everybody locks in."""
    rows = Wallet.objects.filter(_are(organisation_id, keys)).order_by("pk")
    if lock:
        rows = rows.select_for_update(no_key=True)
    return {key: row for row in rows if (key := key_of_wallet(row)) in keys}


def lock_wallets(
    keys: Mapping[UUID, Collection[WalletKey]], ids: Collection[UUID] = ()
) -> list[Wallet]:
    """Wallets of several organisations, and those of ``ids``, with their budgets; locked."""
    wanted = Q(pk__in=ids)
    for organisation_id, own in keys.items():
        wanted |= _are(organisation_id, own)
    rows = Wallet.objects.filter(wanted).select_related("budget").order_by("pk")
    locked = rows.select_for_update(of=("self",), no_key=True)
    return [
        row
        for row in locked
        if row.pk in ids or key_of_wallet(row) in keys.get(row.organisation_id, ())
    ]


def _are(organisation_id: UUID, keys: Collection[WalletKey]) -> Q:
    """All of them, perhaps some more: one look into the index however many there are."""
    named = Q(
        budget_id__in={key.budget_id for key in keys} - {None},
        window_start__in={key.window_start for key in keys} - {None},
    ) & (Q(subject_id=None) | Q(subject_id__in={key.subject_id for key in keys} - {None}))
    if CREDITS in keys:
        named |= Q(budget=None)
    return Q(organisation_id=organisation_id) & named


def keep_out_makers(organisation_ids: Iterable[UUID]) -> None:
    """No wallet of these organisations is made by others until the transaction ends. Before
    wallets are looked for."""
    with connection.cursor() as cursor:
        for key in sorted(organisation_ids):
            cursor.execute(
                "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, %s))", [str(key), _SEED]
            )


def _keep_out_records(organisation_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))",
            [str(organisation_id), _SEED],
        )


def open_wallets(organisation_id: UUID, keys: Mapping[WalletKey, Limit | None]) -> None:
    """Make those that are missing, with what was spent in their windows before.

    Not inside a transaction that has recorded usage: two of those would wait for each other.
    """
    with transaction.atomic():
        _keep_out_records(organisation_id)
        found = found_wallets(organisation_id, keys.keys())
        Wallet.objects.bulk_create(
            [
                Wallet(
                    organisation_id=organisation_id,
                    budget_id=key.budget_id,
                    subject_id=key.subject_id,
                    window_start=key.window_start,
                    spent=spent_in(organisation_id, key, limit),
                )
                for key, limit in keys.items()
                if key not in found
            ],
            ignore_conflicts=True,
        )


def make_credits(organisation_id: UUID) -> None:
    """The wallet of credits, where it is missing; it begins with nothing."""
    Wallet.objects.bulk_create([Wallet(organisation_id=organisation_id)], ignore_conflicts=True)


def spent_in(organisation_id: UUID, key: WalletKey, limit: Limit | None) -> Decimal:
    """What the records of a wallet's window cost; nothing for credits, which begin empty."""
    if limit is None or key.window_start is None:
        return ZERO
    begins, ends = window_bounds(limit.window, key.window_start)
    records = UsageRecord.objects.filter(
        organisation_id=organisation_id, occurred_at__gte=begins, occurred_at__lt=ends
    )
    if limit.scope != BudgetScope.ORGANISATION:
        records = records.filter(**{f"{limit.scope}_id": key.subject_id})
    return records.aggregate(sum=Sum("cost"))["sum"] or ZERO


def keys_of_records(
    limits: Limits, records: Iterable[UsageRecord]
) -> dict[WalletKey, tuple[Limit | None, list[UsageRecord]]]:
    """The wallets that each record is counted in, those of inactive budgets too."""
    keys: dict[WalletKey, tuple[Limit | None, list[UsageRecord]]] = {}
    for record in records:
        for limit in limits.budgets:
            if holds_for(limit.scope, limit.subject_id, record):
                key = key_of(limit, record, record.occurred_at)
                keys.setdefault(key, (limit, []))[1].append(record)
        if limits.is_prepaid:
            keys.setdefault(CREDITS, (None, []))[1].append(record)
    return keys
