"""What an invoice says on paper: the words and numbers that HTML, PDF and CSV share. Pure reading.

Only what never changes after finalising is in it, so that the same invoice always gives the same
document: what was paid or voided since is on the invoice's page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from billing_app.models import Invoice, InvoiceKind, InvoiceLine, LineKind
from billing_app.types.money import CENT, spoken

FIELDS: Final = ("name", "email", "address", "tax_number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who bills, or who is billed; ``address`` may have several lines."""

    name: str
    email: str = ""
    address: str = ""
    tax_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line as people read it."""

    position: int
    description: str
    note: str
    quantity: str
    unit_price: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """All of it text, so that no zone or language of who looks changes it. ``facts``: what stands
    at the top, in order; ``sums``: what stands below the lines; ``made_at``: ISO 8601."""

    title: str
    label: str
    is_draft: bool
    issuer: Party
    customer: Party
    facts: Sequence[tuple[str, str]]
    rows: Sequence[Row]
    sums: Sequence[tuple[str, str]]
    total: str
    made_at: str
    has_estimates: bool
    reason: str


def document_of(invoice: Invoice, lines: Sequence[InvoiceLine]) -> Document:
    """Amounts are the row's; nothing is added up again."""
    is_credit = invoice.kind == InvoiceKind.CREDIT_NOTE
    title = "Credit note" if is_credit else "Invoice"
    made_at = invoice.finalized_at or invoice.created_at
    return Document(
        title=title,
        label=invoice.label if invoice.is_final else "DRAFT",
        is_draft=not invoice.is_final,
        issuer=party(invoice.issuer, "ONE"),
        customer=party(invoice.customer, "" if invoice.is_final else invoice.organisation.name),
        facts=_facts(invoice),
        rows=[row_of(line) for line in lines],
        sums=_sums(invoice),
        total=spoken_exactly(invoice.total),
        made_at=f"{made_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        has_estimates=any(line.is_estimated for line in lines),
        # Why it was credited is a fact of the credit note; why an invoice was voided came later.
        reason=invoice.reason if is_credit else "",
    )


def party(held: Mapping[str, Any], otherwise: str) -> Party:
    """A snapshot; ``otherwise``: the name where it holds none."""
    found = {name: str(held.get(name) or "") for name in FIELDS}
    return Party(**{**found, "name": found["name"] or otherwise})


def month(period: date) -> str:
    """``May 2026``."""
    return f"{period:%B %Y}"


def day(moment: date) -> str:
    """``2 June 2026``; of a datetime its UTC day."""
    if isinstance(moment, datetime):
        moment = moment.astimezone(UTC).date()
    return f"{moment.day} {moment:%B %Y}"


def spoken_exactly(amount: Decimal) -> str:
    """As ``spoken``; amounts of invoices are whole cents, so that it never says "less than"."""
    return spoken(amount.quantize(CENT))


def price(amount: Decimal) -> str:
    """A unit price with the decimals it has, two at least: ``$2.50``, ``$0.075``."""
    plain = f"{amount:,.6f}".rstrip("0")
    whole, _, part = plain.partition(".")
    return f"${whole}.{part.ljust(2, '0')}"


def row_of(line: InvoiceLine) -> Row:
    """``note``: what is unusual about the line."""
    has_quantity = line.kind != LineKind.CREDIT or line.quantity
    return Row(
        position=line.position,
        description=line.description or f"{line.model} {line.token_type}".strip() or "Usage",
        note="estimated" if line.is_estimated else "",
        quantity=f"{line.quantity:,}" if has_quantity else "",
        unit_price=price(line.unit_price) if has_quantity else "",
        amount=spoken_exactly(line.amount),
    )


def _facts(invoice: Invoice) -> list[tuple[str, str]]:
    found = [("Number", invoice.label if invoice.is_final else "none yet: this is a draft")]
    if invoice.finalized_at is not None:
        found.append(("Date", day(invoice.finalized_at)))
    found.append(("Usage of", f"{month(invoice.period)} (UTC)"))
    if invoice.due_on is not None and invoice.total > 0:
        found.append(("Due", day(invoice.due_on)))
    if invoice.credits is not None:
        found.append(("Credits invoice", invoice.credits.label))
    return [*found, ("Currency", "US dollars")]


def _sums(invoice: Invoice) -> list[tuple[str, str]]:
    found = [("Subtotal", spoken_exactly(invoice.subtotal))]
    if invoice.tax or invoice.tax_percent:
        percent = f"{invoice.tax_percent:.2f}".removesuffix("00").removesuffix(".")
        label = f"{invoice.tax_label or 'Tax'} {percent}%"
        found.append((label, spoken_exactly(invoice.tax)))
    return found
