"""Invoices paid through providers: a page for what is left to pay, and what providers tell of it.

A payment is a row before the provider is asked, and the row's id is the provider's idempotency key:
whoever asks twice, or crashes between, gets the same page. What was paid counts once, by the
event's id, by the payment's status, and by ``mark_paid``.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing_app.models import Invoice, Payment, PaymentStatus
from billing_app.services.invoice_moves import OPEN, left_to_pay
from billing_app.services.invoices import mark_failed, mark_paid
from billing_app.services.payments import is_payable, register_payer
from billing_app.types.money import CENT, CURRENCY
from integrations_app.errors import InvalidSettings, SendError, UnknownProvider
from integrations_app.models import InboundEvent, Integration
from integrations_app.providers.base import Account
from integrations_app.providers.payments import Order, Page, PaymentEvent, PaymentProvider
from integrations_app.providers.registry import providers
from integrations_app.runtime.accounts import account_of
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict
from one_project.common.ids import parse_id
from one_project.common.sealing import SealBroken

# A page takes money for this long: less than keys of idempotency live (24 hours).
OPEN_FOR: Final = timedelta(hours=23)
# An open page that is about to close is not given to anybody any more.
TOO_LATE: Final = timedelta(minutes=40)
DEADLINE: Final = 20.0
NOT_TOLD: Final = "begun:"
BUSY: Final = 409


def register_payers() -> None:
    """Make every provider of payments known to billing; called when Django starts."""
    for one in providers():
        if isinstance(one, PaymentProvider):
            register_payer(one.slug, one.title, _Begin(one), _IsOffered(one))


class _IsOffered:
    """Whether the provider is set up for an invoice, and takes such an amount."""

    def __init__(self, provider: PaymentProvider) -> None:
        self._provider = provider

    def __call__(self, invoice: Invoice) -> bool:
        cents = cents_of(left_to_pay(invoice))
        if not self._provider.min_cents <= cents <= self._provider.max_cents:
            return False
        return taker_of(invoice, self._provider) is not None


class _Begin:
    def __init__(self, provider: PaymentProvider) -> None:
        self._provider = provider

    def __call__(self, invoice: Invoice, return_url: str) -> str:
        return begin_payment(invoice, self._provider, return_url)


def payee_id(invoice: Invoice) -> UUID | None:
    """The organisation whose provider takes the money for an invoice.

    ONE_PAYMENTS_ORGANISATION, where it is set. Else people pay through their own organisation's,
    and nobody takes what an organisation itself owes: it would pay, and confirm, to itself.
    """
    chosen = parse_id(str(getattr(settings, "ONE_PAYMENTS_ORGANISATION", "") or ""))
    if chosen is not None:
        return chosen
    return invoice.organisation_id if invoice.user_id is not None else None


def taker_of(invoice: Invoice, provider: PaymentProvider) -> tuple[Integration, Account] | None:
    """The integration that takes the money for an invoice, opened; None where there is none."""
    payee = payee_id(invoice)
    if payee is None:
        return None
    rows = Integration.objects.active().of_house()
    found = rows.filter(organisation_id=payee, provider=provider.slug).order_by("priority", "pk")
    for row in found:
        try:
            account = account_of(row)
        except (InvalidSettings, UnknownProvider, SealBroken):
            continue
        if provider.is_ready(account):
            return row, account
    return None


def cents_of(amount: Decimal) -> int:
    return int((amount / CENT).to_integral_exact())


# --- Beginning -----------------------------------------------------------------------------------


def begin_payment(invoice: Invoice, provider: PaymentProvider, return_url: str) -> str:
    """Where to pay what is left of the invoice: the page that is open already, or a new one.

    Raises Conflict where it is not to be paid (any more), and the provider's errors.
    """
    taker = taker_of(invoice, provider)
    if taker is None:
        raise Conflict("This invoice cannot be paid here.")
    row, account = taker
    payment = _begun(invoice, provider, row, return_url)
    if payment.url:
        return payment.url
    asked = Payment.objects.filter(pk=payment.pk, provider_ref=_unknown_ref(payment.pk))
    try:
        page: Page = async_to_sync(provider.begin)(
            account, _order(invoice, payment), deadline=DEADLINE
        )
    except SendError as error:
        # Should there be a page all the same, nobody can pay on it: nobody has its address. The
        # next attempt is another payment, except where this one is just being worked on.
        if error.http_status != BUSY:
            asked.update(status=PaymentStatus.FAILED, updated_at=timezone.now())
        if error.retryable:
            error.user_message = (
                f"{provider.title} does not answer. Nothing was paid: please try again later."
            )
        raise
    # Whoever asked at the same time got the same page.
    asked.update(provider_ref=page.ref, url=page.url, updated_at=timezone.now())
    return page.url


@transaction.atomic
def _begun(
    invoice: Invoice, provider: PaymentProvider, row: Integration, return_url: str
) -> Payment:
    """The payment that is under way for this amount through this integration, or a new one."""
    held = Invoice.objects.select_for_update(of=("self",)).get(pk=invoice.pk)
    if not is_payable(held):
        raise Conflict("This invoice is not to be paid.")
    now, amount = timezone.now(), left_to_pay(held)
    found = Payment.objects.filter(
        invoice=held,
        provider=provider.slug,
        status=PaymentStatus.PENDING,
        amount=amount,
        meta__integration=str(row.pk),
        created_at__gt=now - OPEN_FOR + TOO_LATE,
    )
    known = found.order_by("-created_at").first()
    if known is not None:
        return known
    made = Payment(
        organisation_id=held.organisation_id,
        invoice=held,
        provider=provider.slug,
        amount=amount,
        meta={"integration": str(row.pk), "return_url": return_url},
    )
    made.provider_ref = _unknown_ref(made.pk)
    made.save(force_insert=True)
    return made


def _unknown_ref(payment_id: UUID) -> str:
    """What stands for the provider's id until it has told it."""
    return f"{NOT_TOLD}{payment_id}"


def _order(invoice: Invoice, payment: Payment) -> Order:
    """The same whenever it is asked for, or the idempotency key would not hold."""
    return Order(
        payment_id=payment.pk,
        invoice_id=invoice.pk,
        title=f"Invoice {invoice.label}",
        cents=cents_of(payment.amount),
        email=str(invoice.customer.get("email") or "")[:320],
        return_url=payment.meta["return_url"],
        expires_at=payment.created_at + OPEN_FOR,
    )


# --- What providers tell -------------------------------------------------------------------------


def receive_payments(integration: Integration, events: Sequence[PaymentEvent]) -> int:
    """Take the events of a verified webhook; how many of them are new."""
    return sum(_take(integration, one) for one in events)


@transaction.atomic
def _take(integration: Integration, event: PaymentEvent) -> bool:
    """Keep one event and do what follows from it, together; False: it was known."""
    stored = InboundEvent(
        organisation_id=integration.organisation_id,
        integration=integration,
        kind=f"payment_{event.kind}",
        external_id=_bounded(event.external_id),
        body={"ref": event.ref[:200], "cents": event.cents, "currency": event.currency[:8]},
    )
    # In one statement, so that of two copies at the same moment one is the first.
    InboundEvent.objects.bulk_create([stored], ignore_conflicts=True)
    if not InboundEvent.objects.filter(pk=stored.pk).exists():
        return False
    outcome = _apply(integration, event)
    InboundEvent.objects.filter(pk=stored.pk).update(outcome=outcome[:200])
    return True


def _bounded(external_id: str) -> str:
    if 0 < len(external_id) <= 200:
        return external_id
    return hashlib.sha256(external_id.encode()).hexdigest()


def _payment_of(integration: Integration, event: PaymentEvent) -> Payment | None:
    """Only one that was begun through this integration: others cannot tell of it."""
    rows = Payment.objects.filter(
        provider=integration.provider, meta__integration=str(integration.pk)
    )
    found = rows.filter(provider_ref=event.ref).first() if event.ref else None
    payment_id = parse_id(event.payment_id)
    if found is None and payment_id is not None:
        # It may be told of before the provider's answer to us was stored.
        found = rows.filter(pk=payment_id).first()
    return found


def _apply(integration: Integration, event: PaymentEvent) -> str:
    """What was done, in words."""
    payment = _payment_of(integration, event)
    if payment is None:
        return "No such payment."
    # The invoice first, as all verbs of invoices do; then the payment as it is now.
    invoice = Invoice.objects.select_for_update(of=("self",)).get(pk=payment.invoice_id)
    payment = Payment.objects.select_for_update(of=("self",)).get(pk=payment.pk)
    if payment.status == PaymentStatus.SUCCEEDED:
        return "It was paid before."
    if event.kind == "paid":
        return _paid(invoice, payment, event)
    if event.kind == "expired":
        _close(payment)
        return "The page has closed."
    if invoice.status not in OPEN:
        return f"Noted; the invoice is {invoice.status}."
    # Mostly the page stays open: people try another card.
    if event.is_closed:
        _close(payment)
    mark_failed(invoice, reason=event.reason)
    return "The invoice is failed now."


def _paid(invoice: Invoice, payment: Payment, event: PaymentEvent) -> str:
    same = Payment.objects.filter(provider=payment.provider, provider_ref=event.ref)
    is_anothers = bool(event.ref) and same.exclude(pk=payment.pk).exists()
    if is_anothers or event.currency != CURRENCY or event.cents != cents_of(payment.amount):
        record_event(
            invoice.organisation,
            "payment_mismatch",
            target=f"invoice:{invoice.pk}",
            data={"provider": payment.provider},
        )
        return "Amount, currency or page is not what was asked for: nothing was marked as paid."
    if event.ref and payment.provider_ref != event.ref:
        payment.provider_ref = event.ref
    payment.url = ""
    payment.save(update_fields=["provider_ref", "url", "updated_at"])
    mark_paid(invoice, provider=payment.provider, ref=payment.provider_ref, amount=payment.amount)
    return f"The invoice is {invoice.status} now."


def _close(payment: Payment) -> None:
    payment.status, payment.url = PaymentStatus.FAILED, ""
    payment.save(update_fields=["status", "url", "updated_at"])
