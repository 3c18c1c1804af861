"""Throwing away a draft: the only thing of billing that may be deleted."""

from django.db import transaction
from django.db.models.functions import Least

from billing_app.errors import WrongInvoiceStatus
from billing_app.models import BilledPeriod, Invoice
from billing_app.services.invoice_events import note
from billing_app.services.invoice_months import hold_account
from billing_app.services.invoice_moves import hold, only_drafts
from billing_app.types.periods import bounds
from one_project.accounts.models import User


@transaction.atomic
def discard(invoice: Invoice, *, by: User | None) -> None:
    """Delete a draft. What was used is on the next invoices, as adjustments: its months are looked
    at anew by the next run.

    Raises InvoiceFinal, NotFound, WrongInvoiceStatus where it takes the place of a void one.
    """
    hold_account(invoice.organisation_id)
    held = hold(invoice)
    only_drafts(held)
    if held.replaces.exists():
        raise WrongInvoiceStatus("It takes the place of a void invoice. Finalise it, then void it.")
    months = {held.period, *held.lines.values_list("period", flat=True)}
    note(held, "invoice_discarded", by=by)
    held.delete()
    for month in months:
        billed = BilledPeriod.objects.filter(organisation=held.organisation_id, period=month)
        billed.update(cutoff=Least("cutoff", bounds(month)[0]))
