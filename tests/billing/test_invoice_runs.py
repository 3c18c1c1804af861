"""Runs that meet: whatever happens at once, a month is billed once, and money counts once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections, transaction

from billing_app.models import BilledPeriod, BillingAccount, Invoice, InvoiceNumber, Payment
from billing_app.services import invoices
from billing_app.services.invoicing import bill_due, bill_organisation
from one_project.accounts.models import Event
from one_project.common.errors import AppError
from tests.billing.using import NOVEMBER, OCTOBER, billed, cost, on, totals, used
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*verbs: Callable[[], Any]) -> list[Any]:
    """Each in a thread with a connection of its own, begun together: results, codes of errors."""
    start = Barrier(len(verbs))

    def run(verb: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return verb()
        except AppError as error:
            return error.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(verbs)) as pool:
        return list(pool.map(run, verbs))


def gapless() -> bool:
    """Numbers of each kind are 1, 2, 3 … and the last is the one that is kept."""
    for kind in ("invoice", "credit_note"):
        numbered = Invoice.objects.filter(kind=kind, number__gt=0).order_by("number")
        found = list(numbered.values_list("number", flat=True))
        last = InvoiceNumber.objects.filter(kind=kind).values_list("last", flat=True)
        if found != list(range(1, len(found) + 1)) or sum(last) != len(found):
            return False
    return True


def test_runs_at_the_same_time_bill_once(committed_world: World) -> None:
    """Eight, with use of another organisation and late use among it."""
    org, elsewhere = committed_world.organisation, committed_world.elsewhere
    people = (committed_world.alice, committed_world.bob, None)
    for person in people:
        used(org, person, at=on(9, 9))
    at_once(*[lambda: bill_due(now=on(10, 2))] * 2)
    assert len(totals(org)) == 3
    for person in people:
        used(org, person, at=on(9, 10), recorded_at=on(10, 9))
        used(org, person, at=on(10, 9))
        used(elsewhere, at=on(10, 9))
    runs = at_once(
        *[lambda: bill_due(now=on(11, 2))] * 4,
        *[lambda: bill_organisation(org.pk, OCTOBER, now=on(11, 2))] * 4,
    )
    assert sum(each.invoices for each in runs[:4]) in {1, 4}
    assert {len(each) for each in runs[4:]} == {3}
    assert billed(org) == cost(org)
    assert billed(elsewhere) == cost(elsewhere)
    assert set(totals(org).values()) == {"2.50", "5.00"}
    assert Event.objects.filter(kind="invoice_finalised").count() == 7
    assert BilledPeriod.objects.count() == 3
    assert gapless()


def test_a_held_organisation_is_left_to_the_next_run(committed_world: World) -> None:
    """Its account is locked longer than the database waits; the others are billed."""
    org, elsewhere = committed_world.organisation, committed_world.elsewhere
    BillingAccount.objects.create(organisation=org)
    for each in (org, elsewhere):
        used(each, at=on(10, 9))

    def impatient() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        return bill_due(now=on(11, 2))

    with transaction.atomic():
        BillingAccount.objects.select_for_update().get(organisation=org)
        (run,) = at_once(impatient)
    assert (run.invoices, run.failed) == (1, ((org.pk, OCTOBER),))
    assert bill_due(now=on(11, 2)).invoices == 1
    assert gapless()


def test_verbs_that_meet_have_one_effect(committed_world: World) -> None:
    """Payment told twice, voiding against it, making anew against billing, credit notes."""
    org, bob = committed_world.organisation, committed_world.bob
    used(org, bob, at=on(10, 9), tokens=(40_000_000, 0, 0, 0))
    (first,) = bill_organisation(org.pk, OCTOBER, now=on(11, 2))

    def fresh() -> Invoice:
        return Invoice.objects.get(pk=first.pk)

    at_once(*[lambda: invoices.mark_paid(fresh(), provider="stripe", ref="pi_1")] * 4)
    assert Payment.objects.count() == Event.objects.filter(kind="invoice_paid").count() == 1

    credits = at_once(
        *[lambda: invoices.credit(fresh(), amount=Decimal("40"), reason="r", by=None)] * 4
    )
    assert credits.count("invalid_input") == 2

    used(org, bob, at=on(11, 9))
    (second,) = bill_organisation(org.pk, NOVEMBER, now=on(12, 2))
    said = at_once(
        lambda: invoices.void(Invoice.objects.get(pk=second.pk), reason="Wrong", by=None).status,
        lambda: invoices.mark_paid(Invoice.objects.get(pk=second.pk), ref="by hand").status,
    )
    second.refresh_from_db()
    assert sorted(said) == sorted(["invoice_status", second.status])
    used(org, bob, at=on(12, 9))
    (third,) = bill_organisation(org.pk, on(12, 1).date(), now=on(1, 2, year=2027))
    invoices.void(third, reason="Wrong", by=None)
    made = at_once(
        *[lambda: invoices.regenerate(Invoice.objects.get(pk=third.pk), by=None)] * 3,
        lambda: bill_due(now=on(2, 2, year=2027)),
    )
    assert made.count("invoice_status") == 2
    assert billed(org) == cost(org)
    third.refresh_from_db()
    assert third.replaced_by is not None
