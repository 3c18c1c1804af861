"""Ways to pay an invoice that the apps above bring: each registers when it starts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from billing_app.models import Invoice, InvoiceKind
from billing_app.services.invoice_moves import OPEN, left_to_pay
from billing_app.types.money import ZERO
from one_project.common.errors import Conflict, NotFound

# An invoice, and the absolute address to come back to: where to pay.
Begin = Callable[[Invoice, str], str]
IsOffered = Callable[[Invoice], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """``begin`` may call out: never inside of a transaction."""

    name: str
    title: str
    begin: Begin
    is_offered: IsOffered


_payers: Final[dict[str, Payer]] = {}


def register_payer(
    name: str, title: str, begin: Begin, is_offered: IsOffered = lambda invoice: True
) -> None:
    """Make a way to pay known. Registering it again replaces it."""
    _payers[name] = Payer(name=name, title=title, begin=begin, is_offered=is_offered)


def is_payable(invoice: Invoice) -> bool:
    """Whether money is still wanted for it."""
    is_open = invoice.is_final and invoice.kind == InvoiceKind.INVOICE and invoice.status in OPEN
    return is_open and left_to_pay(invoice) > ZERO


def payers(invoice: Invoice) -> list[Payer]:
    """The ways to pay this invoice; none for what is not to be paid."""
    if not is_payable(invoice):
        return []
    return [one for one in _payers.values() if one.is_offered(invoice)]


def begin_payment(invoice: Invoice, name: str, return_url: str) -> str:
    """Where to send the person to pay. Raises Conflict (not to be paid), NotFound (no such way),
    and what the way raises."""
    if not is_payable(invoice):
        raise Conflict("This invoice is not to be paid.")
    found = [one for one in payers(invoice) if name in ("", one.name)]
    if not found:
        raise NotFound("There is no such way to pay.")
    return found[0].begin(invoice, return_url)
