"""Invoices of months: what is on which, late use, what blocks, numbers, crashes."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import transaction

from billing_app.errors import PeriodUnfinished, PriceMissing
from billing_app.models import (
    BilledPeriod,
    BillingAccount,
    Invoice,
    InvoiceNumber,
    ModelPrice,
    TokenType,
)
from billing_app.runtime.invoice_hash import content_hash
from billing_app.services import invoice_drafts
from billing_app.services.invoicing import bill_due, bill_organisation, bill_period
from one_project.accounts.models import Event
from tests.billing.using import (
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    PRICES,
    SEPTEMBER,
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
LAST_MOMENT = datetime(2026, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(params=["Asia/Almaty", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The process is somewhere else; nights of summer time are in Europe/Berlin."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def test_a_month_gives_an_invoice_for_each_person(world: World) -> None:
    org, alice, bob = world.organisation, world.alice, world.bob
    used(org, alice, at=on(10, 1, 0), tokens=(1_000_000, 400_000, 0, 200_000))
    used(org, alice, at=on(10, 20), tokens=(0, 0, 80_000, 0))
    used(org, alice, at=on(10, 21), purpose="embedding", model="embed", prices=PRICES)
    used(org, bob, at=on(10, 3), tokens=(3, 0, 0, 0))
    used(org, at=on(10, 4), tokens=(0, 0, 0, 1_000))
    used(world.elsewhere, world.charlie, at=on(10, 5))
    made = bill_organisation(org.pk, OCTOBER, now=on(11, 2))
    mine = next(each for each in made if each.user_id == alice.pk)
    assert told(mine) == [
        ("usage", "embed embedding", "2.50"),
        ("usage", "gpt-4o input", "2.50"),
        ("usage", "gpt-4o cached input", "0.50"),
        ("usage", "gpt-4o cache write", "0.25"),
        ("usage", "gpt-4o output", "2.00"),
    ]
    assert (mine.subtotal, mine.tax, mine.total) == tuple(map(Decimal, ("7.75", "0", "7.75")))
    assert (mine.customer["name"], mine.customer["email"]) == ("Alice", "alice@example.test")
    assert mine.issuer["name"] == "ONE"
    assert mine.due_on == date(2026, 11, 16)
    assert {each.label for each in made} == {f"2026-00000{n}" for n in (1, 2, 3)}
    assert billed(org) == cost(org)
    # What comes to less than half a cent is billed, and paid by that.
    assert {each.user_id: each.status for each in made}[bob.pk] == "paid"
    assert not Invoice.objects.filter(organisation=world.elsewhere).exists()
    again = bill_organisation(org.pk, OCTOBER, now=on(11, 3))
    assert {each.pk for each in again} == {each.pk for each in made}
    for each in Invoice.objects.all():
        assert each.content_hash == content_hash(each, each.lines.all())
        assert each.content_hash != content_hash(each, [])


def test_one_invoice_for_the_organisation_with_tax(world: World) -> None:
    BillingAccount.objects.create(
        organisation=world.organisation,
        invoice_per="organisation",
        legal_name="Acme Ltd",
        tax_label="VAT",
        tax_percent=Decimal("19"),
    )
    for person in (world.alice, world.bob, None):
        used(world.organisation, person, at=on(10, 9), tokens=(250_000, 0, 0, 0))
    (made,) = bill_organisation(world.organisation.pk, OCTOBER, now=on(11, 2))
    assert told(made) == [("usage", "gpt-4o input", "1.88")]
    assert (made.subtotal, made.tax, made.total) == tuple(map(Decimal, ("1.88", "0.36", "2.24")))
    assert (made.customer["name"], made.user_id) == ("Acme Ltd", None)


def test_the_month_ends_at_midnight_utc_wherever_the_process_is(world: World, zone: str) -> None:
    org, bob = world.organisation, world.bob
    bob.timezone = "Pacific/Kiritimati"
    bob.save()
    used(org, bob, at=LAST_MOMENT, tokens=(1_000_000, 0, 0, 0))
    used(org, bob, at=LAST_MOMENT + MICROSECOND, tokens=(2_000_000, 0, 0, 0))
    # The night in which clocks go back in Europe has an hour twice.
    used(org, bob, at=datetime(2026, 10, 25, 0, 30, tzinfo=UTC), tokens=(4_000_000, 0, 0, 0))
    used(org, bob, at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC), tokens=(8_000_000, 0, 0, 0))
    bill_due(now=on(12, 2, 0))
    assert totals(org) == {("2026-10", bob.pk): "32.50", ("2026-11", bob.pk): "5.00"}


@pytest.mark.parametrize(("year", "days"), [(2027, 28), (2028, 29)])
def test_february_is_as_long_as_it_is(world: World, year: int, days: int) -> None:
    org, bob = world.organisation, world.bob
    used(org, bob, at=on(2, days, 23, year=year))
    used(org, bob, at=on(3, 1, 0, year=year), tokens=(2_000_000, 0, 0, 0))
    bill_period(date(year, 2, 1), now=on(3, 1, year=year))
    assert totals(org) == {(f"{year}-02", bob.pk): "2.50"}


def test_the_job_waits_for_the_second_day(world: World) -> None:
    used(world.organisation, world.bob, at=on(10, 9))
    with time_machine.travel(datetime(2026, 11, 1, 23, 59, 59, 999_999, tzinfo=UTC), tick=False):
        assert bill_due().invoices == 0
    with time_machine.travel(datetime(2026, 11, 2, tzinfo=UTC), tick=False):
        assert bill_due().invoices == 1
        assert bill_due().invoices == 0  # the beat, twice
    with time_machine.travel(datetime(2026, 10, 30, tzinfo=UTC), tick=False):
        assert bill_due().invoices == 0  # the clock moved back


def test_an_unfinished_month_is_refused(world: World) -> None:
    with pytest.raises(PeriodUnfinished):
        bill_period(OCTOBER, now=LAST_MOMENT)
    with pytest.raises(PeriodUnfinished):
        bill_organisation(world.organisation.pk, OCTOBER, now=LAST_MOMENT)
    used(world.organisation, world.bob, at=on(10, 9))
    with time_machine.travel(LAST_MOMENT, tick=False):
        with pytest.raises(CommandError, match="has not ended"):
            call_command("bill", period="2026-10")
        with pytest.raises(CommandError, match="written 2026-10"):
            call_command("bill", "--period=October")
    with time_machine.travel(LAST_MOMENT + MICROSECOND, tick=False):
        call_command("bill", "--period=2026-10", f"--organisation={world.organisation.slug}")
    assert totals(world.organisation) == {("2026-10", world.bob.pk): "2.50"}


def test_numbers_begin_anew_with_the_year(world: World) -> None:
    for month, year in ((10, 2026), (11, 2026), (12, 2026), (1, 2027)):
        for person in (world.alice, world.bob):
            used(world.organisation, person, at=on(month, 5, year=year))
    bill_due(now=on(12, 31))
    bill_due(now=on(2, 2, year=2027))
    found = Invoice.objects.order_by("year", "number").values_list("period", "year", "number")
    assert [(f"{period:%m}", year, number) for period, year, number in found] == [
        ("10", 2026, 1), ("10", 2026, 2), ("11", 2026, 3), ("11", 2026, 4),
        ("12", 2027, 1), ("12", 2027, 2), ("01", 2027, 3), ("01", 2027, 4),
    ]  # fmt: skip


def test_late_use_is_on_the_next_invoice(world: World) -> None:
    org, alice, bob = world.organisation, world.alice, world.bob
    used(org, bob, at=on(10, 9))
    bill_due(now=on(11, 2))
    used(org, bob, at=on(10, 30), recorded_at=on(11, 3))
    used(org, alice, at=on(10, 31), recorded_at=on(11, 3), model="o3")
    used(org, bob, at=on(10, 31), recorded_at=on(11, 3), tokens=(0, 0, 0, 100_000))
    used(org, bob, at=on(11, 5), tokens=(2_000_000, 0, 0, 0))
    before = Invoice.objects.get()
    assert bill_period(OCTOBER, now=on(11, 4)).invoices == 0
    bill_due(now=on(12, 2))
    assert totals(org) == {
        ("2026-10", bob.pk): "2.50",
        ("2026-11", bob.pk): "8.50",
        ("2026-11", alice.pk): "2.50",
    }
    assert told(Invoice.objects.get(period=NOVEMBER, user_id=bob.pk)) == [
        ("adjustment", "October 2026 adjustments: gpt-4o input", "2.50"),
        ("adjustment", "October 2026 adjustments: gpt-4o output", "1.00"),
        ("usage", "gpt-4o input", "5.00"),
    ]
    before.refresh_from_db()
    assert before.content_hash == content_hash(before, before.lines.all())
    assert billed(org) == cost(org)
    assert bill_due(now=on(1, 2, year=2027)).invoices == 0


def test_a_backfill_of_months_that_were_billed(world: World) -> None:
    org, bob = world.organisation, world.bob
    months = (date(2026, 7, 1), date(2026, 8, 1), SEPTEMBER)
    for period in months:
        used(org, bob, at=on(period.month, 9))
        bill_due(now=on(period.month + 1, 2))
    for period in months:
        # September's in a transaction that was open when it was billed, and committed then.
        recorded_at = on(10, 1, 20) if period == SEPTEMBER else on(10, 20)
        used(org, bob, at=on(period.month, 20), recorded_at=recorded_at)
    # Nothing in October: the invoice is of adjustments only.
    assert bill_due(now=on(11, 2)).invoices == 1
    found = told(Invoice.objects.get(period=OCTOBER))
    assert [each[1].split(":")[0] for each in found] == [
        f"{name} 2026 adjustments" for name in ("July", "August", "September")
    ]
    assert bill_due(now=on(12, 2)).invoices == 0
    assert billed(org) == cost(org)


def test_months_that_were_missed_are_billed_in_order(world: World) -> None:
    org, bob = world.organisation, world.bob
    used(org, bob, at=on(8, 9))
    used(org, bob, at=on(10, 9), tokens=(2_000_000, 0, 0, 0))
    run = bill_due(now=on(11, 2))
    assert (run.months, run.invoices) == (3, 2)
    assert totals(org) == {("2026-08", bob.pk): "2.50", ("2026-10", bob.pk): "5.00"}
    assert [each.number for each in Invoice.objects.order_by("period")] == [1, 2]
    # Use from before the first month there was.
    used(org, bob, at=on(7, 9), recorded_at=on(11, 3), tokens=(4_000_000, 0, 0, 0))
    bill_due(now=on(11, 4))
    assert totals(org)[("2026-07", bob.pk)] == "10.00"
    assert billed(org) == cost(org)


def test_another_way_of_billing_bills_nothing_twice(world: World) -> None:
    org, alice, bob = world.organisation, world.alice, world.bob
    account = BillingAccount.objects.create(organisation=org)
    for period in (SEPTEMBER, OCTOBER, NOVEMBER):
        account.invoice_per = "organisation" if period == OCTOBER else "user"
        account.save()
        for person in (alice, bob, None):
            used(org, person, at=on(period.month, 9))
            for late in (9, 10):  # months before, late
                if late < period.month:
                    used(org, person, at=on(late, 12), recorded_at=on(period.month, 9))
        bill_due(now=on(period.month + 1, 2))
        assert billed(org) == cost(org)
    people = (alice.pk, bob.pk)
    expected: dict[tuple[str, UUID | None], str] = {
        ("2026-09", None): "2.50",
        ("2026-10", None): "10.00",
        ("2026-11", None): "12.50",
    }
    # September's late use goes to whom September was billed to.
    for month, amount in (("2026-09", "2.50"), ("2026-10", "2.50"), ("2026-11", "5.00")):
        expected |= {(month, person): amount for person in people}
    assert totals(org) == expected


def test_a_missing_price_blocks_one_organisation_until_there_is_one(world: World) -> None:
    org, elsewhere = world.organisation, world.elsewhere
    used(org, world.bob, at=on(10, 9))
    unpriced(org, at=on(9, 30), user_id=world.bob.pk, tokens=(4_000_000, 0, 0, 0),
             model_requested="gpt-9")  # fmt: skip
    used(elsewhere, world.charlie, at=on(10, 9))
    for _ in range(2):
        run = bill_due(now=on(12, 2))
    # November, too, in which nothing was used.
    assert [each[:2] for each in run.blocked] == [
        (org.pk, period) for period in (SEPTEMBER, OCTOBER, NOVEMBER)
    ]
    assert "1 call has no price: openai gpt-9." in run.blocked[0][2]
    assert set(totals(elsewhere).values()) == {"2.50"}
    assert totals(org) == {}
    assert Event.objects.filter(kind="invoice_blocked").count() == 3
    with pytest.raises(PriceMissing):
        bill_organisation(org.pk, OCTOBER, now=on(11, 2))
    with pytest.raises(CommandError, match="1 organisations"):
        call_command("bill", "--period=2026-10")
    assert BilledPeriod.objects.get(organisation=org, period=OCTOBER).status == "blocked"

    for kind in (TokenType.INPUT, TokenType.OUTPUT):
        ModelPrice.objects.create(
            provider="openai", model="gpt-9", token_type=kind, amount=5, valid_from=on(9, 1)
        )
    # The run prices them by itself.
    assert bill_due(now=on(12, 3)).blocked == ()
    assert totals(org) == {("2026-09", world.bob.pk): "20.00", ("2026-10", world.bob.pk): "2.50"}
    assert not BilledPeriod.objects.exclude(status="done").exists()


def test_what_cost_nothing_makes_no_invoice(world: World) -> None:
    free = tuple(Decimal(0) for _ in range(4))
    used(world.organisation, world.bob, at=on(10, 9), prices=free, pricing="free")
    used(world.organisation, world.bob, at=on(10, 9), tokens=(0, 0, 0, 0))
    assert bill_due(now=on(11, 2)).invoices == 0
    assert BilledPeriod.objects.get().status == "done"
    assert not InvoiceNumber.objects.exists()


def test_the_price_of_the_day_holds_and_estimates_are_marked(world: World) -> None:
    org = world.organisation
    dearer = (Decimal("0.000001"), *PRICES[1:])
    used(org, world.bob, at=on(10, 9))
    used(org, world.bob, at=on(10, 20), prices=dearer, is_estimated=True)
    (made,) = bill_organisation(org.pk, OCTOBER, now=on(11, 2))
    found = [(each.unit_price, each.is_estimated, each.exact) for each in made.lines.all()]
    assert found == [(dearer[0], True, dearer[0]), (PRICES[0], False, PRICES[0])]


def test_drafts_wait_where_somebody_looks_at_them(world: World) -> None:
    BillingAccount.objects.create(organisation=world.organisation, needs_review=True)
    used(world.organisation, world.bob, at=on(10, 9))
    (draft,) = bill_organisation(world.organisation.pk, OCTOBER, now=on(11, 2))
    assert (draft.label, draft.status, draft.total) == ("draft", "pending", Decimal("2.50"))
    used(world.organisation, world.bob, at=on(10, 9), recorded_at=on(11, 5))
    used(world.organisation, world.bob, at=on(11, 9))
    bill_due(now=on(12, 2))
    assert totals(world.organisation)[("2026-11", world.bob.pk)] == "5.00"
    assert not InvoiceNumber.objects.exists()


class Crash(Exception):
    """The process is gone."""


@pytest.mark.parametrize("place", ["invoice_made", "lines_made", "invoice_numbered"])
def test_a_crash_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    org = world.organisation
    for person in (world.alice, world.bob):
        used(org, person, at=on(10, 9))

    def crash(name: str) -> None:
        if name == place:
            raise Crash

    monkeypatch.setattr(invoice_drafts, "crash_point", crash)
    with pytest.raises(Crash), transaction.atomic():
        bill_organisation(org.pk, OCTOBER, now=on(11, 2))
    run = bill_due(now=on(11, 2))
    assert run.failed == ((org.pk, OCTOBER),)
    assert not Invoice.objects.exists()
    assert not InvoiceNumber.objects.exists()
    assert not BilledPeriod.objects.exists()
    monkeypatch.undo()
    assert bill_due(now=on(11, 2)).invoices == 2
    assert list(Invoice.objects.order_by("number").values_list("number", flat=True)) == [1, 2]
    assert billed(org) == cost(org)
    assert DECEMBER not in BilledPeriod.objects.values_list("period", flat=True)
