"""Invoices against the rows of usage, in plain SQL that knows nothing of how they were made."""

from dataclasses import asdict, dataclass
from typing import Any

# Tokens of a kind at a price, used and billed, by organisation, UTC month and model.
COMPARED = """
WITH used AS (
    SELECT organisation_id, date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date AS month,
        provider, model, kind.of, kind.price, sum(kind.tokens) AS tokens
    FROM billing_app_usagerecord CROSS JOIN LATERAL (VALUES
        (CASE WHEN purpose = 'embedding' THEN 'embedding' ELSE 'input' END, price_input,
            input_tokens - cached_input_tokens - cache_write_tokens),
        ('cached_input', price_cached_input, cached_input_tokens),
        ('cache_write', price_cache_write, cache_write_tokens),
        ('output', price_output, output_tokens)
    ) AS kind (of, price, tokens)
    WHERE organisation_id = ANY(%(organisations)s) AND kind.price > 0 AND kind.tokens > 0
        AND date_trunc('month', occurred_at AT TIME ZONE 'UTC') <= %(last)s::timestamp
    GROUP BY 1, 2, 3, 4, 5, 6
), billed AS (
    SELECT l.organisation_id, l.period AS month, l.provider, l.model, l.token_type AS of,
        l.unit_price AS price, sum(l.quantity) AS tokens
    FROM billing_app_invoiceline AS l JOIN billing_app_invoice AS i ON i.id = l.invoice_id
    WHERE l.organisation_id = ANY(%(organisations)s) AND i.kind = 'invoice'
        AND i.replaced_by_id IS NULL
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT
    count(*) FILTER (WHERE coalesce(billed.tokens, 0) > coalesce(used.tokens, 0)),
    count(*) FILTER (WHERE coalesce(billed.tokens, 0) < coalesce(used.tokens, 0))
FROM used FULL JOIN billed USING (organisation_id, month, provider, model, of, price)
"""

TWICE = """
SELECT count(*) FROM (
    SELECT FROM billing_app_invoice
    WHERE organisation_id = ANY(%(organisations)s) AND kind = 'invoice' AND status <> 'void'
    GROUP BY organisation_id, period, user_id HAVING count(*) > 1
) AS t
"""

SUMS = """
SELECT
    (SELECT coalesce(sum(l.exact), 0) FROM billing_app_invoiceline AS l
        JOIN billing_app_invoice AS i ON i.id = l.invoice_id
        WHERE l.organisation_id = ANY(%(organisations)s) AND i.kind = 'invoice'
            AND i.replaced_by_id IS NULL)
    - (SELECT coalesce(sum(cost), 0) FROM billing_app_usagerecord
        WHERE organisation_id = ANY(%(organisations)s)
            AND date_trunc('month', occurred_at AT TIME ZONE 'UTC') <= %(last)s::timestamp),
    (SELECT count(*) FROM billing_app_invoice WHERE organisation_id = ANY(%(organisations)s)),
    (SELECT count(*) FROM billing_app_invoiceline
        WHERE organisation_id = ANY(%(organisations)s) AND kind = 'adjustment')
"""

WRONG = """
SELECT count(*) FROM billing_app_invoice AS i
WHERE organisation_id = ANY(%(organisations)s) AND (
    subtotal <> (SELECT coalesce(sum(amount), 0) FROM billing_app_invoiceline
        WHERE invoice_id = i.id)
    OR EXISTS (SELECT FROM billing_app_invoiceline WHERE invoice_id = i.id
        AND (amount <> round(exact, 2) OR exact <> quantity * unit_price * 0.000001))
    OR tax <> round(subtotal * tax_percent / 100, 2) OR total <> subtotal + tax
)
"""

GAPS = """
SELECT coalesce(sum(abs(most - given)), 0) FROM (
    SELECT greatest(max(number), (SELECT max(last) FROM billing_app_invoicenumber AS n
        WHERE n.kind = i.kind AND n.year = i.year)) AS most, count(DISTINCT number) AS given
    FROM billing_app_invoice AS i WHERE number IS NOT NULL GROUP BY kind, year
) AS t
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``doubled``: kinds of tokens of which more was billed than used, and invoices there are two
    of. ``missed``: kinds of which less was. ``difference``: exact dollars, lines less usage.
    ``wrong``: invoices whose sums or rounding are not right. ``gaps``: numbers that are missing."""

    doubled: int
    missed: int
    difference: str
    wrong: int
    gaps: int
    invoices: int
    adjustments: int

    @property
    def is_good(self) -> bool:
        return not (self.doubled or self.missed or self.wrong or self.gaps) and (
            float(self.difference) == 0
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def judge(organisation_ids: list[Any], last: Any) -> Verdict:
    """Of all usage up to the month ``last`` and all invoices of these organisations."""
    from django.db import connection

    values = {"organisations": organisation_ids, "last": last}

    def row(statement: str) -> tuple[Any, ...]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return tuple(cursor.fetchone())

    more, less = row(COMPARED)
    difference, invoices, adjustments = row(SUMS)
    return Verdict(
        doubled=more + row(TWICE)[0],
        missed=less,
        difference=f"{difference:f}" if difference else "0",
        wrong=row(WRONG)[0],
        gaps=int(row(GAPS)[0]),
        invoices=invoices,
        adjustments=adjustments,
    )
