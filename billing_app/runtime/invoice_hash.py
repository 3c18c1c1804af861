"""The seal of a finalised invoice: what is hashed, and how. Pure."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC
from decimal import Decimal
from typing import Any

from billing_app.models import Invoice, InvoiceLine


def content_hash(invoice: Invoice, lines: Iterable[InvoiceLine]) -> str:
    """SHA-256, in hexadecimal, of all that does not change any more; of rows that were just made
    and of the same rows read again it is the same."""
    text = json.dumps(
        canonical(invoice, lines), sort_keys=True, ensure_ascii=True, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(invoice: Invoice, lines: Iterable[InvoiceLine]) -> dict[str, Any]:
    """Header and lines as plain values: amounts as text with all the decimals of their column."""
    final = invoice.finalized_at
    return {
        "id": str(invoice.pk),
        "organisation": str(invoice.organisation_id),
        "user": _text(invoice.user_id),
        "kind": str(invoice.kind),
        "period": invoice.period.isoformat(),
        "year": invoice.year,
        "number": invoice.number,
        "finalized_at": final.astimezone(UTC).isoformat(timespec="microseconds") if final else None,
        "due_on": invoice.due_on.isoformat() if invoice.due_on else None,
        "currency": invoice.currency,
        "subtotal": _amount(invoice.subtotal, 2),
        "tax_label": invoice.tax_label,
        "tax_percent": _amount(invoice.tax_percent, 2),
        "tax": _amount(invoice.tax, 2),
        "total": _amount(invoice.total, 2),
        "customer": invoice.customer,
        "issuer": invoice.issuer,
        "credits": _text(invoice.credits_id),
        "lines": [_line(line) for line in sorted(lines, key=lambda line: line.position)],
    }


def _line(line: InvoiceLine) -> dict[str, Any]:
    return {
        "position": line.position,
        "kind": str(line.kind),
        "period": line.period.isoformat(),
        "provider": line.provider,
        "model": line.model,
        "token_type": str(line.token_type),
        "description": line.description,
        "is_estimated": line.is_estimated,
        "quantity": line.quantity,
        "unit_price": _amount(line.unit_price, 6),
        "exact": _amount(line.exact, 12),
        "amount": _amount(line.amount, 2),
    }


def _amount(amount: Decimal | int, digits: int) -> str:
    return f"{Decimal(amount):.{digits}f}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
