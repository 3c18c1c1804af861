"""Sums of invoices, whatever the amounts."""

import random
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_app.models import BillingAccount, Invoice, InvoiceLine
from billing_app.runtime.billable import Billable
from billing_app.services.invoice_drafts import fill
from billing_app.services.invoicing import bill_due
from billing_app.types.money import CENT, cost_of_tokens, to_cents
from one_project.accounts.models import Organisation
from tests.billing.using import NOVEMBER, OCTOBER, billed, cost, on, used
from tests.people import World

HALF_CENT = Decimal("0.005")
amounts = st.decimals(0, 1000, places=6)
parts = st.builds(
    Billable,
    period=st.sampled_from([OCTOBER, NOVEMBER]),
    user_id=st.none(),
    provider=st.sampled_from(["anthropic", "openai"]),
    model=st.sampled_from(["a", "b"]),
    token_type=st.sampled_from(["input", "cached_input", "cache_write", "output", "embedding"]),
    unit_price=st.decimals("0.000001", 1000, places=6),
    quantity=st.integers(-(10**12), 10**12),
    is_estimated=st.booleans(),
)
percents = st.decimals(0, 100, places=2)


@settings(max_examples=50, deadline=None)
@given(st.lists(parts, min_size=1, max_size=12), percents, st.randoms(use_true_random=False))
def test_a_total_is_the_sum_of_lines_rounded_once(
    found: list[Billable], percent: Decimal, chance: random.Random
) -> None:
    """Also of adjustments below nothing, and of a million million tokens."""
    organisation = Organisation(name="Acme")
    account = BillingAccount(organisation=organisation, tax_percent=percent)
    invoice = Invoice(organisation=organisation, period=NOVEMBER)
    lines = fill(invoice, account, found)
    exact = sum((each.quantity * each.unit_price for each in found), Decimal(0)) / 1_000_000
    assert sum(each.exact for each in lines) == exact
    assert invoice.subtotal == sum(each.amount for each in lines)
    assert abs(invoice.subtotal - exact) <= HALF_CENT * len(lines)
    assert abs(invoice.tax - invoice.subtotal * percent / 100) <= HALF_CENT
    assert invoice.total == invoice.subtotal + invoice.tax
    for amount in (invoice.subtotal, invoice.tax, invoice.total, *(each.amount for each in lines)):
        assert amount.as_tuple().exponent == CENT.as_tuple().exponent
    # The order of what is found changes nothing.
    chance.shuffle(found)
    key = [(each.period, each.model, each.token_type, each.unit_price) for each in lines]
    again = fill(invoice, account, found)
    assert [(each.period, each.model, each.token_type, each.unit_price) for each in again] == key
    assert [each.position for each in again] == list(range(1, len(lines) + 1))


counts = st.integers(0, 10**12) | st.integers(0, 2_000)
calls = st.lists(
    st.tuples(
        st.tuples(counts, counts, counts, counts),
        st.tuples(amounts, amounts, amounts, amounts),
        st.sampled_from(["alice", "bob", ""]),
        st.sampled_from(["answer", "embedding"]),
        st.sampled_from([10, 11]),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.django_db
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(calls, st.sampled_from(["user", "organisation"]), percents)
def test_lines_hold_exactly_what_was_used(
    world: World, found: list[Any], per: str, percent: Decimal
) -> None:
    """On time and late, in one bill or many."""
    org = world.organisation
    with transaction.atomic():
        BillingAccount.objects.create(organisation=org, invoice_per=per, tax_percent=percent)
        used(org, at=on(9, 30), tokens=(1, 0, 0, 0))
        for late in (False, True):
            for tokens, prices, person, purpose, month, is_late in found:
                if is_late == late:
                    used(
                        org, getattr(world, person, None), at=on(month, 9), purpose=purpose,
                        tokens=tokens, prices=prices, recorded_at=on(12, 5) if late else None,
                    )  # fmt: skip
            bill_due(now=on(12, 2))
        bill_due(now=on(1, 2, year=2027))
        assert billed(org) == cost(org)
        for invoice in Invoice.objects.all():
            lines = list(invoice.lines.all())
            assert invoice.subtotal == sum(each.amount for each in lines)
            assert invoice.total == invoice.subtotal + invoice.tax
            exact = sum(each.exact for each in lines)
            assert abs(invoice.subtotal - exact) <= HALF_CENT * len(lines)
        for line in InvoiceLine.objects.all():
            assert line.exact == cost_of_tokens(line.quantity, line.unit_price)
            assert line.amount == to_cents(line.exact)
        transaction.set_rollback(True)
