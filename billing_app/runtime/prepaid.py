"""How much of what an organisation used its credits have paid, exactly."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any, Final, LiteralString
from uuid import UUID

from django.db import connection

from billing_app.models import Wallet
from billing_app.types.periods import bounds

# The bounds find the rows by index; the period is the same again.
_SETTLED: Final[LiteralString] = """
SELECT u.billing_period, u.user_id, -sum(e.amount)
FROM billing_app_usagerecord u JOIN billing_app_creditentry e
    ON e.wallet_id = %(wallet)s AND e.kind = 'settle' AND e.ref = u.id::text
WHERE u.organisation_id = %(organisation)s AND u.billing_period = ANY(%(periods)s)
    AND u.occurred_at >= %(start)s AND u.occurred_at < %(end)s
GROUP BY u.billing_period, u.user_id
"""


def settled(
    organisation_id: UUID, periods: Collection[date]
) -> dict[tuple[date, UUID | None], Decimal]:
    """US dollars by month of use and person (none: the organisation's own use). One query where
    there never were credits, two where there were."""
    wallets = Wallet.objects.filter(organisation_id=organisation_id, budget=None)
    wallet_id = wallets.values_list("pk", flat=True).first()
    if wallet_id is None or not periods:
        return {}
    values: dict[str, Any] = {
        "wallet": wallet_id,
        "organisation": organisation_id,
        "periods": sorted(periods),
        "start": bounds(min(periods))[0],
        "end": bounds(max(periods))[1],
    }
    with connection.cursor() as cursor:
        cursor.execute(_SETTLED, values)
        return {(period, user_id): amount for period, user_id, amount in cursor.fetchall()}
