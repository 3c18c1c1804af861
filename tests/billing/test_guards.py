"""What the database itself refuses in billing."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from billing_app.models import (
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    ModelPrice,
    Payment,
    Pricing,
    TokenType,
    UsageRecord,
)
from tests.people import World

pytestmark = pytest.mark.django_db
MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def price(**fields: Any) -> ModelPrice:
    base = {"provider": "openai", "model": "m", "token_type": TokenType.INPUT, "amount": 1}
    return ModelPrice.objects.create(**{**base, "valid_from": MAY, **fields})


def refused(verb: Any) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        verb()


def test_prices_of_one_thing_never_overlap() -> None:
    first = price(valid_to=JUNE)
    price(valid_from=JUNE)
    refused(lambda: price(valid_from=datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC)))
    for other in ({"model": "m2"}, {"service_tier": "flex"}, {"context_from": 1}):
        price(**other)
    first.valid_to = None
    refused(first.save)


def used(world: World, **fields: Any) -> UsageRecord:
    base: dict[str, Any] = {
        "organisation": world.organisation,
        "purpose": "answer",
        "provider": "openai",
        "model": "m",
        "occurred_at": MAY,
        "billing_period": date(2026, 5, 1),
        "pricing": Pricing.LISTED,
        "cost": Decimal(1),
    }
    return UsageRecord.objects.create(**base | fields)


def test_usage_never_changes_and_is_never_deleted(world: World) -> None:
    row = used(world)
    refused(row.delete)
    refused(lambda: UsageRecord.objects.update(cost=0))
    refused(lambda: UsageRecord.objects.update(input_tokens=1))


def test_only_a_missing_price_is_filled_in_and_once(world: World) -> None:
    used(world, pricing=Pricing.MISSING, cost=None)
    rows = UsageRecord.objects.all()
    refused(lambda: rows.update(pricing=Pricing.LISTED, cost=1, input_tokens=9))
    assert rows.update(pricing=Pricing.LISTED, cost=1) == 1
    refused(lambda: rows.update(pricing=Pricing.LISTED, cost=2))


@pytest.mark.parametrize(
    "wrong",
    [
        {"billing_period": date(2026, 4, 1)},
        {"input_tokens": 1, "cached_input_tokens": 1, "cache_write_tokens": 1},
        {"reasoning_tokens": 1},
        {"cost": None},
        {"cost": -1},
        {"pricing": Pricing.MISSING},
    ],
    ids=str,
)
def test_usage_that_cannot_be_is_refused(world: World, wrong: dict[str, Any]) -> None:
    refused(lambda: used(world, **wrong))


def invoice(world: World, **fields: Any) -> Invoice:
    made = Invoice.objects.create(
        organisation=world.organisation, period=date(2026, 5, 1), **fields
    )
    line(made)
    return made


def line(made: Invoice, position: int = 1) -> InvoiceLine:
    return InvoiceLine.objects.create(
        organisation_id=made.organisation_id,
        invoice=made,
        position=position,
        period=made.period,
        exact=0,
        amount=0,
    )


def finalised(world: World) -> Invoice:
    made = invoice(world)
    made.year, made.number, made.content_hash, made.finalized_at = 2026, 1, "x", JUNE
    made.save()
    return made


def test_a_finalised_invoice_does_not_change(world: World) -> None:
    made = finalised(world)
    refused(made.delete)
    refused(lambda: line(made, 2))
    refused(lambda: InvoiceLine.objects.update(amount=1))
    refused(lambda: InvoiceLine.objects.all().delete())
    refused(lambda: Invoice.objects.update(subtotal=1, total=1))
    refused(lambda: Invoice.objects.update(customer={"name": "x"}))


def test_a_payment_that_was_received_does_not_change(world: World) -> None:
    made = finalised(world)
    payment = Payment.objects.create(
        organisation_id=made.organisation_id, invoice=made, provider="p", provider_ref="r", amount=1
    )
    Payment.objects.update(amount=2, provider_ref="s", status="succeeded")
    for change in ({"amount": 3}, {"status": "failed"}, {"provider_ref": "t"}, {"by_id": made.pk}):
        refused(lambda change=change: Payment.objects.update(**change))
    refused(payment.delete)
    Payment.objects.update(url="", meta={"note": "x"})


@pytest.mark.parametrize(
    "table", ["usagerecord", "creditentry", "invoice", "invoiceline", "invoicefile", "payment"]
)
def test_tables_of_money_are_not_emptied(db: None, table: str) -> None:
    def empty() -> None:
        with connection.cursor() as cursor:
            # Where Django empties the tables of tests, it is off.
            cursor.execute(f"ALTER TABLE billing_app_{table} ENABLE TRIGGER {table}_not_emptied")
            cursor.execute(f"TRUNCATE billing_app_{table} CASCADE")

    refused(empty)


def test_a_draft_may_go(world: World) -> None:
    made = invoice(world)
    refused(lambda: Invoice.objects.update(status=InvoiceStatus.PAID))
    made.delete()
    assert not InvoiceLine.objects.exists()


@pytest.mark.parametrize(
    ("way", "goes"),
    [
        (["paid"], True),
        (["failed", "pending", "paid"], True),
        (["failed", "void"], True),
        (["void", "pending"], False),
        (["paid", "void"], False),
        (["paid", "pending"], False),
        (["void", "paid"], False),
    ],
    ids=str,
)
def test_statuses_go_one_way(world: World, way: list[str], goes: bool) -> None:
    finalised(world)
    *first, last = way
    for status in first:
        Invoice.objects.update(status=status, reason="why")
    if goes:
        Invoice.objects.update(status=last, reason="why")
    else:
        refused(lambda: Invoice.objects.update(status=last, reason="why"))


def test_one_invoice_for_a_month_until_it_is_void(world: World) -> None:
    made = finalised(world)
    refused(lambda: Invoice.objects.create(organisation=world.organisation, period=made.period))
    Invoice.objects.update(status=InvoiceStatus.FAILED, reason="no")
    refused(lambda: Invoice.objects.create(organisation=world.organisation, period=made.period))
    Invoice.objects.update(status=InvoiceStatus.VOID, reason="wrong")
    Invoice.objects.create(organisation=world.organisation, period=made.period)
