"""Who is told of what happens to invoices: the apps above register when they start."""

from collections.abc import Callable
from datetime import date
from typing import Final, Literal
from uuid import UUID

from billing_app.models import Invoice
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event

InvoiceEvent = Literal["finalised", "paid", "failed", "void", "resend"]
Follower = Callable[[Invoice, InvoiceEvent], None]
BlockedFollower = Callable[[UUID, date, str], None]

_followers: Final[list[Follower]] = []
_blocked: Final[list[BlockedFollower]] = []


def on_invoice(function: Follower) -> Follower:
    """``function(invoice, event)`` is called in the transaction that did it: it writes rows and
    enqueues work, and calls nobody outside. Credit notes come, too (``invoice.kind``). Registering
    it again changes nothing."""
    if function not in _followers:
        _followers.append(function)
    return function


def on_blocked(function: BlockedFollower) -> BlockedFollower:
    """``function(organisation_id, period, reason)`` is called once for each month that cannot be
    billed, in the transaction that noted it."""
    if function not in _blocked:
        _blocked.append(function)
    return function


def tell(invoice: Invoice, event: InvoiceEvent) -> None:
    """Call the followers, in the order they came."""
    for function in tuple(_followers):
        function(invoice, event)


def tell_blocked(organisation: Organisation, period: date, reason: str) -> None:
    """Record that a month cannot be billed, and call the followers."""
    record_event(
        organisation,
        "invoice_blocked",
        target=f"organisation:{organisation.pk}",
        data={"period": f"{period:%Y-%m}", "reason": reason},
    )
    for function in tuple(_blocked):
        function(organisation.pk, period, reason)


def note(invoice: Invoice, kind: str, *, by: User | None = None, **data: str) -> None:
    """Record an event of an invoice. Never amounts: others read events, too."""
    record_event(
        invoice.organisation,
        kind,
        actor=by,
        target=f"invoice:{invoice.pk}",
        data={"invoice": invoice.label, "period": f"{invoice.period:%Y-%m}", **data},
    )
