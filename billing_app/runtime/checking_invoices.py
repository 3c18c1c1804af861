"""Checks 1 to 3, 8 and 9: invoices against usage, against themselves, and against payments."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from billing_app.models import Invoice
from billing_app.runtime.invariants import IN_FLIGHT, Finding, Wrong, finding, rows
from billing_app.types.money import ZERO, spoken
from billing_app.types.periods import due_period

# By month of an organisation: what was used and what was billed, of all lines that count. Use that
# was recorded after the month was last looked at, or in a month that waits for a price (``late``),
# may be billed or not; all else has to be, once, under the person, model, kind and price it was
# used at. So has that of a month that is due and was never billed.
_MONTHS: Final = """
WITH used AS (
    SELECT u.organisation_id, u.billing_period AS period, u.provider, u.model,
        CASE WHEN b.invoice_per = 'user' THEN u.user_id END AS user_id,
        u.purpose = 'embedding' AS embeds,
        u.price_input, u.price_cached_input, u.price_cache_write, u.price_output,
        b.status = 'blocked' OR u.recorded_at >= coalesce(b.cutoff, %s) - %s AS is_late,
        sum(u.input_tokens - u.cached_input_tokens - u.cache_write_tokens) AS input,
        sum(u.cached_input_tokens) AS cached, sum(u.cache_write_tokens) AS written,
        sum(u.output_tokens) AS output, sum(u.cost) AS cost, count(*) AS calls
    FROM billing_app_usagerecord u
    LEFT JOIN billing_app_billedperiod b
        ON b.organisation_id = u.organisation_id AND b.period = u.billing_period
    WHERE u.organisation_id IS NOT NULL AND u.cost > 0 AND u.billing_period <= %s
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
), keys AS (
    SELECT organisation_id, period, user_id, provider, model, kind.token_type, kind.price,
        kind.tokens, CASE WHEN is_late THEN kind.tokens ELSE 0 END AS late, 0 AS billed
    FROM used CROSS JOIN LATERAL (VALUES
        (CASE WHEN embeds THEN 'embedding' ELSE 'input' END, price_input, input),
        ('cached_input', price_cached_input, cached),
        ('cache_write', price_cache_write, written),
        ('output', price_output, output)
    ) AS kind (token_type, price, tokens)
    WHERE kind.price > 0 AND kind.tokens > 0
    UNION ALL
    SELECT l.organisation_id, l.period, i.user_id, l.provider, l.model, l.token_type, l.unit_price,
        0, 0, l.quantity
    FROM billing_app_invoiceline l JOIN billing_app_invoice i ON i.id = l.invoice_id
    WHERE i.kind = 'invoice' AND i.replaced_by_id IS NULL
), compared AS (
    SELECT organisation_id, period, model, token_type, price,
        greatest(sum(billed) - sum(tokens), 0) AS twice,
        greatest(sum(tokens) - sum(late) - sum(billed), 0) AS unbilled
    FROM keys GROUP BY organisation_id, period, user_id, provider, model, token_type, price
), months AS (
    SELECT organisation_id, period, sum(calls) AS calls, sum(cost) AS cost,
        sum(CASE WHEN is_late THEN cost ELSE 0 END) AS late, 0 AS exact, 0 AS lines,
        0 AS twice, 0 AS unbilled
    FROM used GROUP BY organisation_id, period
    UNION ALL
    SELECT l.organisation_id, l.period, 0, 0, 0, sum(l.exact), count(*), 0, 0
    FROM billing_app_invoiceline l JOIN billing_app_invoice i ON i.id = l.invoice_id
    WHERE i.kind = 'invoice' AND i.replaced_by_id IS NULL
    GROUP BY l.organisation_id, l.period
    UNION ALL
    SELECT organisation_id, period, 0, 0, 0, 0, 0, sum(twice * price) / 1000000,
        sum(unbilled * price) / 1000000
    FROM compared WHERE twice > 0 OR unbilled > 0 GROUP BY organisation_id, period
)
SELECT o.slug, m.period, sum(m.calls), sum(m.cost), sum(m.late), sum(m.exact), sum(m.lines),
    sum(m.twice), sum(m.unbilled)
FROM months m JOIN accounts_organisation o ON o.id = m.organisation_id
GROUP BY o.slug, m.period ORDER BY o.slug, m.period
"""

# By how much sums are not those of the lines, rounding is more than half a cent a line, lines are
# not rounded once or not their tokens at their price, and the tax is not that of the sum.
_INVOICES: Final = """
SELECT id, greatest(sums, rounding, lines, tax) FROM (
    SELECT i.id, abs(i.subtotal - coalesce(l.amount, 0)) AS sums,
        abs(i.subtotal - coalesce(l.exact, 0)) - 0.005 * coalesce(l.number, 0) AS rounding,
        coalesce(l.wrong, 0) AS lines,
        abs(i.tax - i.subtotal * i.tax_percent / 100)
            - CASE WHEN i.kind = 'invoice' THEN 0.005 ELSE 0.02 END AS tax
    FROM billing_app_invoice i LEFT JOIN (
        SELECT invoice_id, sum(amount) AS amount, sum(exact) AS exact, count(*) AS number,
            sum(abs(amount - round(exact, 2)) + CASE WHEN kind = 'credit' THEN 0
                ELSE abs(exact - quantity * unit_price / 1000000) END) AS wrong
        FROM billing_app_invoiceline GROUP BY invoice_id
    ) l ON l.invoice_id = i.id
) invoices WHERE greatest(sums, rounding, lines, tax) > 0 ORDER BY id
"""

_GAPS: Final = """
SELECT kind, year, number, number - before - 1 FROM (
    SELECT kind, year, number,
        lag(number, 1, 0) OVER (PARTITION BY kind, year ORDER BY number) AS before
    FROM (
        SELECT kind, year, number FROM billing_app_invoice WHERE number IS NOT NULL
        UNION ALL
        SELECT kind, year, last + 1 FROM billing_app_invoicenumber
    ) numbers
) numbered WHERE number <> before + 1 ORDER BY kind, year, number
"""

# Paid: what was received, with credit notes, covers the total, and is no more than it. Open: not
# covered yet. Drafts and void ones: nothing.
_PAYMENTS: Final = """
SELECT * FROM (SELECT id, status, paid, CASE
    WHEN finalized_at IS NULL OR status = 'void' THEN paid
    WHEN status = 'paid' THEN greatest(total - credited - paid, 0) + greatest(paid - total, 0)
    WHEN paid + credited >= total THEN paid + credited
    ELSE 0 END AS by
FROM (
    SELECT i.id, i.status, i.total, i.finalized_at, coalesce(p.paid, 0) AS paid,
        coalesce(c.credited, 0) AS credited
    FROM billing_app_invoice i LEFT JOIN (
        SELECT invoice_id, sum(amount) AS paid FROM billing_app_payment
        WHERE status = 'succeeded' GROUP BY invoice_id
    ) p ON p.invoice_id = i.id LEFT JOIN (
        SELECT credits_id, -sum(total) AS credited FROM billing_app_invoice
        WHERE kind = 'credit_note' AND status <> 'void' GROUP BY credits_id
    ) c ON c.credits_id = i.id
    WHERE i.kind = 'invoice'
) invoices) found WHERE by <> 0 ORDER BY id
"""


def billed_exactly(now: datetime) -> list[Finding]:
    """1 and 3: the exact sums of each month are equal, and every use is billed once."""
    wrong: list[Wrong] = []
    places: list[Wrong] = []
    checked = calls = 0
    due = due_period(now - IN_FLIGHT)
    found = rows(_MONTHS, now, IN_FLIGHT, due)
    for slug, period, n, cost, late, exact, _, twice, unbilled in found:
        checked, calls = checked + 1, calls + int(n)
        left = cost - exact
        outside = left if left < 0 else max(left - late, ZERO)
        if outside:
            wrong.append(Wrong(f"{slug} {period:%Y-%m}: {outside.normalize():f}", outside))
        if twice:
            places.append(Wrong(f"{slug} {period:%Y-%m}: {spoken(twice)} too much", twice))
        if unbilled:
            places.append(Wrong(f"{slug} {period:%Y-%m}: {spoken(unbilled)} unbilled", unbilled))
    return [
        finding(1, "Exact sums of usage and of lines, by month (US dollars)", checked, wrong),
        finding(3, "Every use is billed once (US dollars)", calls, places),
    ]


def rounded_once() -> Finding:
    """2: totals are off from exact sums by half a cent a line at most, and are the lines' sums."""
    wrong = [Wrong(f"{pk}: {by.normalize():f}", by) for pk, by in rows(_INVOICES)]
    checked = Invoice.objects.count()
    return finding(2, "Totals, lines and rounding of invoices (US dollars)", checked, wrong)


def numbered_without_gaps() -> Finding:
    """8: numbers of each kind and year are 1, 2, 3 … up to the last one given."""
    wrong = [
        Wrong(f"{kind} {year}: before {number}", Decimal(missing))
        for kind, year, number, missing in rows(_GAPS)
    ]
    checked = Invoice.objects.exclude(number=None).count()
    return finding(8, "Numbers have no gaps (numbers)", checked, wrong)


def paid_in_full() -> Finding:
    """9: payments received equal invoices marked as paid. Statements of payment providers are not
    fetched."""
    wrong = [
        Wrong(f"{pk}: {status}, {spoken(paid)} received", by)
        for pk, status, paid, by in rows(_PAYMENTS)
    ]
    checked = Invoice.objects.filter(kind="invoice", status="paid").count()
    return finding(9, "Payments received and invoices marked paid (US dollars)", checked, wrong)
