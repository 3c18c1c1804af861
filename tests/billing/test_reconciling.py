"""Every invariant is seen where it is broken, by how much, and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from billing_app.models import (
    BegunCall,
    BillingAccount,
    Invoice,
    InvoiceStatus,
    Reconciliation,
    UsageRecord,
)
from billing_app.services.begun_calls import LOST_AFTER, begin, record_lost
from billing_app.services.budget_settings import set_budget, set_prepaid
from billing_app.services.budgets import reserve
from billing_app.services.credits import grant
from billing_app.services.invoice_discarding import discard
from billing_app.services.invoices import credit, mark_paid, regenerate, void
from billing_app.services.invoicing import bill_due
from billing_app.services.reconciling import reconcile, request_reconciling
from billing_app.services.rolling_up import roll_up
from one_project.common import health
from one_project.workflows.models import WorkItem
from tests.admin.rows import ai_call
from tests.billing.spending import add_dollar_model, spend, spender_of, use_of
from tests.billing.using import on, used
from tests.people import World

pytestmark = pytest.mark.django_db
BILLED = on(11, 2, year=2025)
LATER = on(11, 3, year=2025)
TABLES = (
    "usagerecord", "usagedaily", "invoice", "invoiceline", "invoicenumber", "creditentry",
    "payment",
)  # fmt: skip


@pytest.fixture
def books(world: World) -> World:
    """A month of two people, billed and paid in part; credits, a budget and a reservation."""
    add_dollar_model()
    organisation = world.organisation
    used(organisation, world.alice, at=on(10, 3, year=2025), tokens=(333, 11, 7, 5))
    used(organisation, world.alice, at=on(10, 9, year=2025), model="gpt-5")
    used(organisation, world.bob, at=on(10, 3, year=2025), tokens=(1_000_001, 0, 0, 77))
    used(organisation, at=on(10, 31, 23, year=2025), purpose="embedding")
    bill_due(BILLED)
    mark_paid(invoice_of(world), by=world.alice, ref="1")
    set_prepaid(organisation, True)
    grant(organisation, Decimal(5), ref="first", by=world.alice)
    set_budget(organisation, scope="user", subject_id=world.bob.pk, hard_limit=Decimal(9))
    reserve(spender_of(world), Decimal("0.5"))
    spend(world, "1.25")
    roll_up()
    return world


def invoice_of(world: World, user: Any = None) -> Invoice:
    return Invoice.objects.get(
        organisation=world.organisation, kind="invoice", user_id=user.pk if user else None
    )


def state(check: Reconciliation | None = None) -> dict[int, str]:
    """Numbers of what is broken, with the difference."""
    check = check or reconcile(now=LATER)
    return {each["number"]: each["difference"] for each in check.findings if not each["is_ok"]}


@contextmanager
def broken(statement: str) -> Iterator[None]:
    """Past the triggers, and only within."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE billing_app_{table} DISABLE TRIGGER USER")
        cursor.execute(statement)
        assert cursor.rowcount == 1
        yield
        transaction.set_rollback(True)


def first(table: str, where: str = "true") -> str:
    return f"id = (SELECT id FROM billing_app_{table} WHERE {where} ORDER BY id LIMIT 1)"


def test_each_broken_invariant_is_seen_with_the_right_number(books: World) -> None:
    check = reconcile(now=LATER)
    assert state(check) == {}
    assert [each["number"] for each in check.findings] == list(range(1, 10))
    checked = {each["number"]: each["checked"] for each in check.findings}
    # Months, invoices, uses, two sums of each day, …
    assert {number: checked[number] for number in (1, 2, 3, 7, 8, 9)} == {
        1: 1, 2: 3, 3: 4, 7: 3, 8: 3, 9: 1,
    }  # fmt: skip
    assert checked[4] >= 6
    assert checked[5] == 4
    line = first("invoiceline", "unit_price = 2.5")
    paid, pending = invoice_of(books).pk, invoice_of(books, books.bob).pk
    october = "billing_period = '2025-10-01'"
    breaks: list[tuple[str, dict[int, str]]] = [
        (f"usagerecord SET cost = cost + 0.5 WHERE {first('usagerecord', october)}",
            {1: "0.5", 4: "0.5"}),
        (f"invoice SET subtotal = subtotal + 0.03, total = total + 0.03 WHERE id = '{pending}'",
            {2: "0.03", 7: "1"}),
        (f"invoiceline SET amount = amount + 0.01 WHERE {line}", {2: "0.01", 7: "1"}),
        (f"invoiceline SET quantity = quantity + 1 WHERE {line}",
            {2: "0.0000025", 3: "0.0000025", 7: "1"}),
        (f"invoiceline SET quantity = quantity - 1 WHERE {line}",
            {2: "0.0000025", 3: "0.0000025", 7: "1"}),
        (f"usagedaily SET cost = cost + 0.01 WHERE {first('usagedaily')}", {4: "0.01"}),
        (f"usagedaily SET calls = 0 WHERE {first('usagedaily')}", {4: "0"}),
        (f"usagedaily SET agent_name = 'x' WHERE {first('usagedaily')}", {4: "0"}),
        (f"usagedailybyperson SET output_tokens = 9 WHERE {first('usagedailybyperson')}",
            {4: "0"}),
        ("wallet SET spent = spent + 0.000000000001 WHERE budget_id IS NOT NULL",
            {5: "0.000000000001"}),
        ("wallet SET reserved = 0.25 WHERE budget_id IS NOT NULL", {5: "0.25"}),
        ("wallet SET granted = granted + 1 WHERE budget_id IS NULL", {5: "2"}),
        ("creditentry SET balance_after = balance_after + 1 WHERE kind = 'settle'", {5: "2.25"}),
        ("creditentry SET ref = ref || 'x' WHERE kind = 'settle'", {5: "1.25"}),
        (f"invoice SET customer = '{{}}' WHERE id = '{paid}'", {7: "1"}),
        ("invoicenumber SET last = last + 2", {8: "2"}),
        (f"invoice SET number = 9 WHERE id = '{paid}'", {7: "1", 8: "5"}),
        ("payment SET amount = amount - 0.01", {9: "0.01"}),
        (f"invoice SET status = 'paid' WHERE id = '{pending}'", {9: "2.5"}),
    ]  # fmt: skip
    for change, seen in breaks:
        with broken(f"UPDATE billing_app_{change}"):
            assert state() == seen, change
    with broken(f"DELETE FROM billing_app_usagerecord WHERE {first('usagerecord', october)}"):
        assert set(state()) == {1, 3, 4}
    assert state() == {}


def test_a_call_without_usage_is_seen(books: World) -> None:
    ai_call(books.organisation)
    assert state(reconcile()) == {6: "1"}


def test_a_lost_call_that_nobody_records_is_seen(books: World) -> None:
    use = use_of(books, "1")
    begin(use)
    assert reconcile().is_ok
    BegunCall.objects.update(seen_at=timezone.now() - 2 * LOST_AFTER)
    assert state(reconcile()) == {6: "1"}
    assert record_lost() == 1
    roll_up()
    assert reconcile().is_ok


def test_what_was_not_billed_when_it_was_due_is_seen(books: World) -> None:
    used(books.elsewhere, at=on(10, 5, year=2025))
    assert state() == {1: "2.5", 3: "2.5", 4: "2.5"}
    bill_due(BILLED)
    roll_up(afresh=True)
    assert state() == {}


def test_late_use_is_right_before_and_after_it_is_billed(books: World) -> None:
    used(
        books.organisation, books.bob,
        at=on(10, 20, year=2025), recorded_at=on(11, 2, 13, year=2025),
    )  # fmt: skip
    roll_up(afresh=True)
    assert state() == {}
    bill_due(on(12, 2, year=2025))
    assert state(reconcile(now=on(12, 3, year=2025))) == {}


def test_void_made_anew_credited_and_discarded_invoices_are_right(books: World) -> None:
    made = invoice_of(books, books.bob)
    void(made, reason="Wrong address", by=books.alice)
    assert state() == {}
    again = regenerate(made, by=books.alice)
    credit(again, amount=Decimal("1.00"), reason="Outage", by=books.alice)
    mark_paid(again, ref="2", by=books.alice)
    assert again.status == InvoiceStatus.PAID
    assert state() == {}
    other = invoice_of(books, books.alice)
    void(other, reason="To look at it", by=books.alice)
    assert other.lines.exists()
    assert state() == {}


def test_a_discarded_draft_is_billed_by_the_next_run(books: World) -> None:
    organisation = books.organisation
    BillingAccount.objects.update(needs_review=True)
    used(organisation, books.bob, at=on(11, 5, year=2025))
    bill_due(on(12, 2, year=2025))
    draft = Invoice.objects.get(organisation=organisation, finalized_at=None)
    discard(draft, by=books.alice)
    roll_up(afresh=True)
    assert state(reconcile(now=on(12, 3, year=2025))) == {}
    used(organisation, books.bob, at=on(12, 5, year=2025), tokens=(1, 0, 0, 0))
    bill_due(on(1, 2, year=2026))
    again = Invoice.objects.get(organisation=organisation, finalized_at=None)
    assert str(again.total) == "2.50"
    assert {line.kind for line in again.lines.all()} == {"usage", "adjustment"}
    roll_up(afresh=True)
    assert state(reconcile(now=on(1, 3, year=2026))) == {}


def readyz(client: Client) -> dict[str, Any]:
    health._read = None
    return client.get("/readyz").json()  # type: ignore[no-any-return]


def test_readyz_says_how_the_books_stand_and_stays_ready(client: Client, books: World) -> None:
    assert readyz(client)["details"]["billing"] == "not checked yet"
    reconcile(now=LATER)
    assert readyz(client)["details"]["billing"] == "ok"
    with broken(f"UPDATE billing_app_usagedaily SET cost = cost + 1 WHERE {first('usagedaily')}"):
        with pytest.raises(CommandError, match="1 do not hold"):
            call_command("reconcile", stdout=StringIO())
        said = readyz(client)
        assert said["details"]["billing"] == "broken: 1 of 9 (4)"
        assert said["ready"] is True
    health._read = None


def test_beats_of_one_night_make_one_check(db: None) -> None:
    for _ in range(3):
        request_reconciling(night=LATER.date())
    assert WorkItem.objects.filter(function="billing_app.reconcile").count() == 1
    request_reconciling(night=LATER.date() + timedelta(days=1))
    request_reconciling()
    assert WorkItem.objects.filter(function="billing_app.reconcile").count() == 3


@pytest.mark.django_db(transaction=True)
def test_all_is_read_at_one_moment_and_nothing_is_locked(world: World) -> None:
    used(world.organisation, world.alice, at=on(10, 3, year=2025))
    bill_due(BILLED)
    with transaction.atomic():
        # Held by somebody: the check waits for nobody.
        list(Invoice.objects.select_for_update())
        list(UsageRecord.objects.select_for_update())
    assert reconcile(full=True, now=LATER).is_ok
