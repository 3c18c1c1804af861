"""Months are summed for many organisations before any is held: what happens in between."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from billing_app.models import BillingAccount, Invoice, ModelPrice, TokenType
from billing_app.runtime.billable import billable, used_in
from billing_app.services import invoice_months, invoicing
from billing_app.services.invoice_discarding import discard
from billing_app.services.invoicing import bill_due, bill_organisation
from billing_app.services.usage import fill_missing_prices
from one_project.accounts.models import Organisation
from tests.billing.using import (
    NOVEMBER,
    OCTOBER,
    PRICES,
    billed,
    cost,
    on,
    told,
    totals,
    unpriced,
    used,
)
from tests.people import World

pytestmark = pytest.mark.django_db

Between = Callable[[Callable[[], Any]], None]


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Between:
    """What is given happens once, after the sums and before the first account is held."""

    def arrange(happens: Callable[[], Any]) -> None:
        def held(*args: Any, **named: Any) -> Any:
            monkeypatch.setattr(invoicing, "bill_month", invoice_months.bill_month)
            happens()
            return invoice_months.bill_month(*args, **named)

        monkeypatch.setattr(invoicing, "bill_month", held)

    return arrange


def late(world: World) -> None:
    used(world.organisation, world.bob, at=on(10, 30), recorded_at=on(11, 2))


def test_a_price_that_comes_after_the_sums_is_billed(world: World, between: Between) -> None:
    org, bob = world.organisation, world.bob
    used(org, bob, at=on(10, 9))
    unpriced(org, at=on(10, 20), user_id=bob.pk, tokens=(4_000_000, 0, 0, 0),
             model_requested="gpt-9")  # fmt: skip

    def price() -> None:
        for kind in (TokenType.INPUT, TokenType.OUTPUT):
            ModelPrice.objects.create(
                provider="openai", model="gpt-9", token_type=kind, amount=5, valid_from=on(9, 1)
            )
        assert fill_missing_prices(org.pk) == 1

    between(price)
    assert bill_due(now=on(11, 2)).blocked == ()
    assert totals(org) == {("2026-10", bob.pk): "22.50"}
    assert billed(org) == cost(org) == Decimal("22.50")


def test_a_month_that_another_run_has_billed_is_left(world: World, between: Between) -> None:
    org = world.organisation
    used(org, world.bob, at=on(10, 9))

    def bill_more() -> None:
        late(world)
        bill_organisation(org.pk, OCTOBER, now=on(11, 2))

    between(bill_more)
    run = bill_due(now=on(11, 2))
    assert (run.months, run.invoices) == (0, 0)
    assert totals(org) == {("2026-10", world.bob.pk): "5.00"}
    assert billed(org) == cost(org)


def test_sums_from_before_the_lines_take_nothing_back(world: World) -> None:
    org = world.organisation
    used(org, world.bob, at=on(10, 9))
    before = used_in(OCTOBER, [org.pk])[org.pk]
    late(world)
    assert [one.quantity for one in before] == [1_000_000]
    bill_organisation(org.pk, OCTOBER, now=on(11, 2))
    assert billable(org.pk, OCTOBER, "user", before) == []
    late(world)
    assert [one.quantity for one in billable(org.pk, OCTOBER, "user", before)] == [1_000_000]


def test_what_comes_after_the_sums_is_late(world: World, between: Between) -> None:
    org, bob = world.organisation, world.bob
    used(org, bob, at=on(10, 9))
    between(lambda: late(world))
    assert bill_due(now=on(11, 2)).invoices == 1
    assert totals(org) == {("2026-10", bob.pk): "2.50"}
    assert bill_due(now=on(12, 2)).invoices == 1
    assert told(Invoice.objects.get(period=NOVEMBER)) == [
        ("adjustment", "October 2026 adjustments: gpt-4o input", "2.50")
    ]
    assert billed(org) == cost(org)
    assert bill_due(now=on(1, 2, year=2027)).invoices == 0


def test_a_draft_that_is_discarded_meanwhile_is_billed_anew(world: World, between: Between) -> None:
    org, bob = world.organisation, world.bob
    BillingAccount.objects.create(organisation=org, needs_review=True)
    used(org, bob, at=on(10, 9))
    used(org, bob, at=on(11, 9))
    (draft,) = bill_organisation(org.pk, OCTOBER, now=on(11, 2))
    between(lambda: discard(draft, by=None))
    bill_due(now=on(12, 2))
    bill_due(now=on(1, 2, year=2027))
    assert totals(org) == {("2026-11", bob.pk): "5.00"}
    assert billed(org) == cost(org)


def test_how_it_is_split_is_decided_when_the_account_is_held(
    world: World, between: Between
) -> None:
    org = world.organisation
    account = BillingAccount.objects.create(organisation=org)
    for person, estimated in ((world.alice, False), (world.bob, True), (None, False)):
        used(org, person, at=on(10, 9), is_estimated=estimated)
    used(org, world.bob, at=on(10, 9), prices=(Decimal(1), *PRICES[1:]))
    between(lambda: BillingAccount.objects.filter(pk=account.pk).update(invoice_per="organisation"))
    assert bill_due(now=on(11, 2)).invoices == 1
    lines = Invoice.objects.get(user_id=None).lines.all()
    assert [(one.quantity, one.is_estimated) for one in lines] == [
        (1_000_000, False),
        (3_000_000, True),
    ]


@pytest.fixture
def many(world: World) -> list[Organisation]:
    """Five with usage: of one price, of several, and of none that is known."""
    found = [world.organisation, world.elsewhere]
    found += [Organisation.objects.create(name=f"Org {n}", slug=f"org-{n}") for n in range(3)]
    for place, org in enumerate(found):
        for model in range(place + 1):
            used(org, at=on(10, 9), model=f"gpt-{model}")
    unpriced(world.elsewhere, at=on(10, 9), model_requested="gpt-9")
    return found


def test_months_of_many_are_summed_in_one_pass(many: list[Organisation]) -> None:
    with CaptureQueriesContext(connection) as asked:
        run = bill_due(now=on(11, 2))
    assert (run.months, run.invoices, len(run.blocked)) == (4, 4, 1)
    sums = [each["sql"] for each in asked if "sum(output_tokens)" in each["sql"]]
    assert len(sums) == 1


@pytest.mark.parametrize(("at_once", "most"), [(2, 100), (5, 3), (5, 1), (1, 1)])
def test_sums_that_are_too_many_are_made_in_parts(
    many: list[Organisation], monkeypatch: pytest.MonkeyPatch, at_once: int, most: int
) -> None:
    monkeypatch.setattr(invoicing, "SUMMED_AT_ONCE", at_once)
    monkeypatch.setattr(invoicing, "MOST_SUMS", most)
    run = bill_due(now=on(11, 2))
    assert (run.months, run.invoices, len(run.blocked)) == (4, 4, 1)
    blocked = run.blocked[0][0]
    assert all(billed(org) == (0 if org.pk == blocked else cost(org)) for org in many)


def test_sums_that_fail_are_made_one_by_one(
    many: list[Organisation], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(invoicing, "used_in", fail)
    run = bill_due(now=on(11, 2))
    assert (run.invoices, len(run.blocked), run.failed) == (4, 1, ())
