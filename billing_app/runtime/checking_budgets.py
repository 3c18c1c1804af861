"""Check 5: wallets against credits, raw usage and open reservations."""

from decimal import Decimal
from typing import Final

from billing_app.models import CreditEntry, Wallet
from billing_app.runtime.invariants import Finding, Wrong, finding, rows

# Credits: what is left is the sum of the entries.
_CREDITS: Final = """
SELECT w.id, w.granted - w.spent - coalesce(e.total, 0) FROM billing_app_wallet w LEFT JOIN (
    SELECT wallet_id, sum(amount) AS total FROM billing_app_creditentry GROUP BY wallet_id
) e ON e.wallet_id = w.id
WHERE w.budget_id IS NULL AND w.granted - w.spent <> coalesce(e.total, 0)
ORDER BY w.id
"""
# Every balance is one that another entry began with, but for the first (0) and the last (what is
# there now): each value is left as often as it is reached, in whichever order they are read.
_CHAIN: Final = """
SELECT wallet_id, max(value) - min(value) FROM (
    SELECT wallet_id, value, sum(times) AS times FROM (
        SELECT wallet_id, balance_after AS value, 1 AS times FROM billing_app_creditentry
        UNION ALL
        SELECT wallet_id, balance_after - amount, -1 FROM billing_app_creditentry
        UNION ALL
        SELECT id, 0, 1 FROM billing_app_wallet WHERE budget_id IS NULL
        UNION ALL
        SELECT id, granted - spent, -1 FROM billing_app_wallet WHERE budget_id IS NULL
    ) steps GROUP BY wallet_id, value
) counted WHERE times <> 0 GROUP BY wallet_id ORDER BY wallet_id
"""
# What was used before its cost was known may go below nothing; what people and refills do may not.
_NEGATIVE: Final = """
SELECT id, balance_after FROM billing_app_creditentry
WHERE balance_after < 0 AND amount < 0 AND kind <> 'settle' ORDER BY id
"""
_SETTLED: Final = """
SELECT e.id, e.amount + coalesce(u.cost, 0) FROM billing_app_creditentry e
LEFT JOIN billing_app_usagerecord u ON u.id::text = e.ref
WHERE e.kind = 'settle' AND (u.id IS NULL OR e.amount <> -u.cost) ORDER BY e.id
"""
_RESERVED: Final = """
SELECT w.id, w.reserved - coalesce(r.held, 0) FROM billing_app_wallet w LEFT JOIN (
    SELECT wallet_id, sum(amount) AS held
    FROM billing_app_reservation CROSS JOIN LATERAL unnest(wallet_ids) AS wallet_id
    WHERE status = 'open' GROUP BY wallet_id
) r ON r.wallet_id = w.id
WHERE w.reserved <> coalesce(r.held, 0) ORDER BY w.id
"""
# Wallets of one scope and window against the rows of their subjects; only organisations that have
# such wallets, from their first window on.
_SPENT: Final = """
WITH wallets AS (
    SELECT w.id, w.organisation_id, w.subject_id, w.window_start, w.spent
    FROM billing_app_wallet w JOIN billing_app_budget b ON b.id = w.budget_id
    WHERE b.scope = %s AND b."window" = %s
), since AS (
    SELECT organisation_id, min(window_start)::timestamp AT TIME ZONE 'UTC' AS start
    FROM wallets GROUP BY organisation_id
), used AS (
    SELECT u.organisation_id, {subject} AS subject_id,
        date_trunc(%s, u.occurred_at AT TIME ZONE 'UTC')::date AS window_start, sum(u.cost) AS cost
    FROM since JOIN billing_app_usagerecord u
        ON u.organisation_id = since.organisation_id AND u.occurred_at >= since.start
    GROUP BY 1, 2, 3
)
SELECT w.id, w.spent - coalesce(used.cost, 0) FROM wallets w LEFT JOIN used
    ON used.organisation_id = w.organisation_id AND used.window_start = w.window_start
    AND coalesce(used.subject_id, w.organisation_id) = coalesce(w.subject_id, w.organisation_id)
WHERE w.spent <> coalesce(used.cost, 0) ORDER BY w.id
"""
_SUBJECTS: Final = {
    "organisation": "NULL::uuid",
    "team": "u.team_id",
    "user": "u.user_id",
    "agent": "u.agent_id",
}


def wallets_are_right() -> Finding:
    """5: balances are the sums of their entries, what is spent that of the rows, what is reserved
    that of open reservations; and no adjustment went below nothing."""
    wrong: list[Wrong] = []

    def add(what: str, found: list[tuple[object, Decimal]]) -> None:
        wrong.extend(Wrong(f"{what} {pk}: {by.normalize():f}", by) for pk, by in found)

    add("balance of", rows(_CREDITS))
    add("chain of balances of", rows(_CHAIN))
    add("below nothing:", rows(_NEGATIVE))
    add("entry and usage:", rows(_SETTLED))
    add("reserved of", rows(_RESERVED))
    for scope, subject in _SUBJECTS.items():
        for window in ("day", "month"):
            add("spent of", rows(_SPENT.format(subject=subject), scope, window, window))
    checked = Wallet.objects.count() + CreditEntry.objects.count()
    return finding(5, "Wallets, credits and reservations (US dollars)", checked, wrong)
