"""What people are told of invoices and budgets: in the app, and by a letter where e-mail is set up.

Billing knows nothing of notifications: it calls who has registered, in its own transactions, and
here rows are written and work is enqueued, nothing more.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final
from uuid import UUID

from django.urls import reverse
from django.utils import timezone

from billing_app.models import BudgetScope, Invoice, InvoiceKind, Wallet
from billing_app.runtime.documents import day, month, spoken_exactly
from billing_app.services.invoice_events import on_blocked, on_invoice
from billing_app.services.warnings import on_budget_warning
from integrations_app.errors import NotUsable
from integrations_app.runtime.step_kinds import Email, InApp
from integrations_app.services.notification_workflows import define_notification
from integrations_app.services.notifications import notify_user, trigger
from one_project.accounts.models import Membership, Organisation, Role, User
from one_project.common.errors import InvalidInput
from one_project.workflows.definitions import step
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Retry

BILLING: Final = "billing"

# A letter at once: an invoice is one, and is not left out because a page was seen.
INVOICE: Final = define_notification(
    key="invoice",
    name="An invoice",
    description="Told to whom an invoice is for, in the app and by e-mail, when it is finalised, "
    "sent again, paid, void, or its payment failed.",
    category=BILLING,
    steps=[
        InApp(
            id="inbox",
            title="{{ payload.title }}",
            body="{{ payload.body }}",
            url="{{ payload.url }}",
        ),
        Email(
            id="mail",
            subject="{{ payload.title }}",
            body="{{ payload.title }}\n\n{{ payload.body }}",
            url="{{ payload.url }}",
        ),
    ],
)


def admins_of(organisation: Organisation) -> list[User]:
    """Owners and admins who are there."""
    rows = Membership.objects.active().filter(
        organisation=organisation, role__in=[Role.OWNER, Role.ADMIN]
    )
    return [row.user for row in rows.select_related("user").order_by("pk")]


def _person(organisation: Organisation, user_id: UUID) -> list[User]:
    """The member of that id, if they are still there."""
    rows = Membership.objects.active().filter(organisation=organisation, user_id=user_id)
    return [row.user for row in rows.select_related("user")]


# --- Invoices ------------------------------------------------------------------------------------


@on_invoice
def tell_of_invoice(invoice: Invoice, event: str) -> None:
    """Have it told by a worker: a month has as many invoices as people, in one transaction."""
    if _said(invoice, event) is None:
        return
    # Each finalising, paying and voiding happens once; failing and sending again may repeat.
    again = f":{timezone.now():%Y%m%dT%H%M%S%f}" if event in ("failed", "resend") else ""
    enqueue(
        tell_invoice,
        invoice.pk,
        event,
        f"invoice:{invoice.pk}:{event}{again}",
        organisation_id=invoice.organisation_id,
    )


# Telling again tells nobody twice: it is the same transaction of the notification.
@step(name="integrations.tell_invoice", retry=Retry(attempts=5, initial=2.0))
def tell_invoice(invoice_id: UUID, event: str, transaction_id: str) -> int:
    """Tell the person the invoice is for; of the organisation's own, who administers it. How many
    were told."""
    invoice = Invoice.objects.select_related("organisation", "credits").get(pk=invoice_id)
    said = _said(invoice, event)
    if said is None:
        return 0
    organisation = invoice.organisation
    if invoice.user_id is not None:
        people = _person(organisation, invoice.user_id)
    else:
        people = admins_of(organisation)
    if not people:
        return 0
    title, body = said
    payload = {"title": title, "body": body, "url": reverse("usage:invoice", args=[invoice.pk])}
    try:
        trigger(
            organisation, INVOICE.key, to=people, payload=payload, transaction_id=transaction_id
        )
    except (NotUsable, InvalidInput):
        # Switched off here. What becomes of the invoice does not depend on it.
        return 0
    return len(people)


def _said(invoice: Invoice, event: str) -> tuple[str, str] | None:
    """Title and text; None for what nobody needs to hear."""
    label, of = invoice.label, f"for {month(invoice.period)}"
    total = spoken_exactly(invoice.total)
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        if event not in ("finalised", "resend"):
            return None
        credited = spoken_exactly(-invoice.total)
        of_invoice = f" to invoice {invoice.credits.label}" if invoice.credits else ""
        return f"Credit note {label}", f"{credited} were credited{of_invoice}."
    due = f", due on {day(invoice.due_on)}" if invoice.due_on and invoice.total > 0 else ""
    return {
        "finalised": (f"Invoice {label} {of}", f"{total}{due}."),
        "resend": (f"Invoice {label} {of}", f"{total}{due}."),
        "paid": (f"Invoice {label} is paid", f"{total} {of}. Thank you."),
        "failed": (
            f"The payment of invoice {label} did not go through",
            f"{total} {of}. {invoice.reason}".strip(),
        ),
        "void": (f"Invoice {label} is void", f"It is not to be paid. {invoice.reason}".strip()),
    }.get(event)


@on_blocked
def tell_of_blocked(organisation_id: UUID, period: date, reason: str) -> None:
    """Tell who administers the organisation that a month cannot be billed."""
    organisation = Organisation.objects.get(pk=organisation_id)
    _notify(
        organisation,
        admins_of(organisation),
        title=f"No invoices for {month(period)} yet",
        body=reason,
        url=reverse("usage:home"),
        transaction_id=f"billing-blocked:{period:%Y-%m}:{timezone.now():%Y%m%dT%H}",
    )


# --- Budgets -------------------------------------------------------------------------------------


@on_budget_warning
def tell_of_budget(wallet: Wallet, kind: str, name: str) -> None:
    """Tell whose limit it is, and who can raise it."""
    organisation, budget = wallet.organisation, wallet.budget
    people = {user.pk: user for user in admins_of(organisation)}
    if budget is not None and budget.scope == BudgetScope.USER and wallet.subject_id is not None:
        people |= {user.pk: user for user in _person(organisation, wallet.subject_id)}
    what = f"{name[:1].upper()}{name[1:]}"
    if kind == "hard":
        title = f"{what}: used up"
        body = "Agents answer no more until the limit is raised or a new period begins."
    else:
        title = f"{what}: nearly used up"
        body = "Agents go on answering until the limit is reached."
    if budget is None:
        body = "Calls stop when there are none left. Ask for more in time."
    _notify(
        organisation,
        people.values(),
        title=title,
        body=body,
        url=reverse("usage:home"),
        transaction_id=f"budget:{wallet.pk}:{kind}",
    )


def _notify(
    organisation: Organisation,
    people: Iterable[User],
    *,
    title: str,
    body: str,
    url: str,
    transaction_id: str,
) -> None:
    for user in people:
        notify_user(
            organisation,
            user,
            title=title,
            body=body,
            url=url,
            category=BILLING,
            # A trigger is one for all its people, and these are told one by one.
            transaction_id=f"{transaction_id}:{user.pk}"[:120],
        )
