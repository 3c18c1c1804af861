"""Rows of every model of billing in the admin."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db.models import Model
from django.utils import timezone

from billing_app.models import (
    BilledPeriod,
    BillingAccount,
    Budget,
    CreditEntry,
    Invoice,
    InvoiceLine,
    ModelPrice,
    Payment,
    Reconciliation,
    Reservation,
    UsageRecord,
    Wallet,
)
from one_project.accounts.models import Organisation
from tests.admin.making import name, numbers, organisation, user

MAY = datetime(2026, 5, 1, tzinfo=UTC)


def month() -> date:
    """Another one each time: some rows are once for a month."""
    number = next(numbers)
    return date(2000 + number // 12 % 100, number % 12 + 1, 1)


def price(_: Organisation) -> ModelPrice:
    return ModelPrice.objects.create(
        provider="openai", model=name("model"), token_type="input", amount=1, valid_from=MAY
    )


def usage(org: Organisation) -> UsageRecord:
    return UsageRecord.objects.create(
        organisation=org,
        user_id=user(org).pk,
        purpose="answer",
        provider="openai",
        model=name("model"),
        occurred_at=MAY,
        billing_period=MAY.date(),
        pricing="listed",
        input_tokens=10,
        price_input=1,
        cost=Decimal("0.00001"),
    )


def budget(org: Organisation) -> Budget:
    return Budget.objects.create(
        organisation=org, scope="user", subject_id=user(org).pk, hard_limit=5
    )


def wallet(org: Organisation) -> Wallet:
    made = budget(org)
    return Wallet.objects.create(
        organisation=org, budget=made, subject_id=made.subject_id, window_start=MAY.date()
    )


def reservation(org: Organisation) -> Reservation:
    return Reservation.objects.create(
        organisation=org, wallet_ids=[], amount=1, expires_at=timezone.now()
    )


def credit(org: Organisation) -> CreditEntry:
    return CreditEntry.objects.create(
        organisation=org, wallet=wallet(org), kind="grant", amount=1, balance_after=1,
        ref=uuid4().hex,
    )  # fmt: skip


def account(org: Organisation) -> BillingAccount:
    """One of each organisation."""
    made, is_new = BillingAccount.objects.get_or_create(organisation=org)
    return made if is_new else BillingAccount.objects.create(organisation=organisation())


def billed(org: Organisation) -> BilledPeriod:
    return BilledPeriod.objects.create(
        organisation=org, period=month(), status="done", invoice_per="user"
    )


def invoice(org: Organisation) -> Invoice:
    made = Invoice.objects.create(
        organisation=org, user_id=user(org).pk, period=month(), subtotal=1, total=1
    )
    InvoiceLine.objects.create(
        organisation=org, invoice=made, position=1, period=made.period, description="Tokens",
        exact=1, amount=1,
    )  # fmt: skip
    return made


def payment(org: Organisation) -> Payment:
    return Payment.objects.create(
        organisation=org, invoice=invoice(org), provider="manual", provider_ref=uuid4().hex,
        amount=1,
    )  # fmt: skip


def reconciliation(_: Organisation) -> Reconciliation:
    finding = {
        "number": 1, "name": "Sums", "is_ok": False, "checked": 3, "difference": "0.01",
        "detail": "acme 2026-05: 0.01",
    }  # fmt: skip
    return Reconciliation.objects.create(is_ok=False, findings=[finding])


BILLING_MAKERS: dict[type[Model], Callable[[Organisation], Any]] = {
    ModelPrice: price,
    UsageRecord: usage,
    Budget: budget,
    Wallet: wallet,
    Reservation: reservation,
    CreditEntry: credit,
    BillingAccount: account,
    BilledPeriod: billed,
    Invoice: invoice,
    Payment: payment,
    Reconciliation: reconciliation,
}
BILLING_GLOBAL = {ModelPrice, Reconciliation}
