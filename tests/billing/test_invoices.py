"""What becomes of an invoice: payment, failure, voiding, making anew, credit notes."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from billing_app.errors import InvoiceFinal, WrongInvoiceStatus
from billing_app.models import BillingAccount, Invoice, InvoiceNumber, Payment
from billing_app.runtime.checking_invoices import paid_in_full
from billing_app.runtime.invoice_hash import content_hash
from billing_app.services import invoice_events, invoice_moves, invoices
from billing_app.services.invoice_moves import left_to_pay
from billing_app.services.invoicing import bill_due, bill_organisation
from one_project.accounts.models import Event
from one_project.common.errors import Conflict, InvalidInput
from tests.billing.using import OCTOBER, billed, cost, on, told, totals, used
from tests.people import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What followers are told."""
    told_of: list[tuple[str, str]] = []
    monkeypatch.setattr(invoice_events, "_followers", [])
    invoice_events.on_invoice(lambda invoice, event: told_of.append((invoice.label, event)))
    return told_of


@pytest.fixture
def invoice(world: World, heard: list[tuple[str, str]]) -> Invoice:
    """Bob's, of 100 dollars and 19 % tax."""
    BillingAccount.objects.create(
        organisation=world.organisation, tax_label="VAT", tax_percent=Decimal("19.00")
    )
    used(world.organisation, world.bob, at=on(10, 9), tokens=(0, 0, 0, 10_000_000))
    (made,) = bill_organisation(world.organisation.pk, OCTOBER, now=on(11, 2))
    return made


VERBS: dict[str, Any] = {
    "paid": lambda each: invoices.mark_paid(each, ref=f"by hand {each.pk}"),
    "failed": lambda each: invoices.mark_failed(each, reason="No funds"),
    "pending": invoices.retry_payment,
    "void": lambda each: invoices.void(each, reason="Wrong", by=None),
}


# Where each way ends; None: its last step is refused.
WAYS: dict[str, str | None] = {
    "paid": "paid",
    "failed paid": "paid",
    "failed failed": "failed",
    "failed pending paid": "paid",
    "failed void": "void",
    "void": "void",
    "pending": None,
    "paid failed": None,
    "paid pending": None,
    "paid void": None,
    "void paid": None,
    "void failed": None,
    "void pending": None,
    "void void": None,
}


def test_statuses_go_their_ways(world: World) -> None:
    for _ in WAYS:
        used(world.organisation, user_id=uuid4(), at=on(10, 9))
    made = bill_organisation(world.organisation.pk, OCTOBER, now=on(11, 2))
    for (way, last), invoice in zip(WAYS.items(), made, strict=True):
        *first, end = way.split()
        for each in first:
            VERBS[each](invoice)
        before = Invoice.objects.get(pk=invoice.pk)
        if last is None:
            with pytest.raises(WrongInvoiceStatus):
                VERBS[end](invoice)
            assert Invoice.objects.get(pk=invoice.pk).status == before.status, way
        else:
            VERBS[end](invoice)
            assert Invoice.objects.get(pk=invoice.pk).status == invoice.status == last, way
        assert invoice.content_hash == content_hash(invoice, invoice.lines.all())
        assert invoice.customer["name"] == "Former member"


def test_every_verb_is_recorded_and_told_without_amounts(
    invoice: Invoice, world: World, heard: list[tuple[str, str]]
) -> None:
    invoices.mark_failed(invoice, reason="No funds", by=world.adam)
    invoices.retry_payment(invoice, by=world.adam)
    invoices.resend(invoice, by=world.adam)
    invoices.mark_paid(invoice, ref="transfer 1", by=world.adam)
    invoices.credit(invoice, amount=Decimal(5), reason="Sorry", by=world.adam)
    label = "2026-000001"
    assert heard == [
        (label, "finalised"),
        (label, "failed"),
        (label, "resend"),
        (label, "paid"),
        ("CN-2026-000001", "finalised"),
    ]
    events = Event.objects.filter(kind__startswith="invoice_").order_by("created_at")
    assert [each.kind.removeprefix("invoice_") for each in events] == [
        "finalised", "failed", "pending", "resent", "paid", "credited", "finalised",
    ]  # fmt: skip
    assert {each.actor for each in events} == {None, world.adam}
    assert "119" not in str([each.data for each in events])


def test_a_follower_that_fails_undoes_the_verb(invoice: Invoice) -> None:
    def broken(invoice: Invoice, event: str) -> None:
        raise RuntimeError(event)

    invoice_events.on_invoice(broken)
    with pytest.raises(RuntimeError):
        invoices.mark_paid(invoice, ref="r")
    assert Invoice.objects.get().status == "pending"
    assert not Payment.objects.exists()


def test_a_payment_counts_once(invoice: Invoice, world: World) -> None:
    for _ in range(2):
        invoices.mark_paid(invoice, provider="stripe", ref="pi_1", amount=Decimal("119.00"))
    payment = Payment.objects.get()
    assert (payment.amount, payment.status) == (Decimal("119.00"), "succeeded")
    assert Event.objects.filter(kind="invoice_paid").count() == 1
    used(world.elsewhere, world.charlie, at=on(10, 9))
    (other,) = bill_organisation(world.elsewhere.pk, OCTOBER, now=on(11, 2))
    with pytest.raises(Conflict):
        invoices.mark_paid(other, provider="stripe", ref="pi_1")
    assert Invoice.objects.get(pk=other.pk).status == "pending"


def test_money_that_came_is_never_lost(invoice: Invoice) -> None:
    """Part of it, one that was begun before, and more than was asked for."""
    Payment.objects.create(
        organisation_id=invoice.organisation_id, invoice=invoice, provider="stripe",
        provider_ref="cs_2", amount=Decimal("119.00"),
    )  # fmt: skip
    invoices.mark_paid(invoice, provider="stripe", ref="pi_1", amount=Decimal("100.00"))
    assert invoice.status == "pending"
    assert left_to_pay(invoice) == Decimal("19.00")
    with pytest.raises(WrongInvoiceStatus, match="Money was received"):
        invoices.void(invoice, reason="Wrong", by=None)
    invoices.mark_paid(invoice, provider="stripe", ref="cs_2", amount=Decimal("119.00"))
    assert invoice.status == "paid"
    invoices.mark_paid(invoice, provider="stripe", ref="pi_3", amount=Decimal("119.00"))
    assert Payment.objects.filter(status="succeeded").count() == 3
    assert Event.objects.filter(kind="invoice_paid_unexpectedly").count() == 1
    with pytest.raises(WrongInvoiceStatus):
        invoices.mark_paid(invoice, ref="by hand")


def test_money_that_came_too_much_goes_back_and_the_books_agree(
    invoice: Invoice, world: World
) -> None:
    invoices.mark_paid(invoice, provider="stripe", ref="pi_1", amount=Decimal("119.00"))
    invoices.mark_paid(invoice, provider="stripe", ref="pi_2", amount=Decimal("119.00"))
    assert not paid_in_full().is_ok
    with pytest.raises(InvalidInput, match=r"At most \$119\.00"):
        invoices.refund(invoice, amount=Decimal("119.01"), reason="Twice", ref="r", by=None)
    for _ in range(2):
        invoices.refund(invoice, amount=Decimal("100"), reason="Twice", ref="re_1", by=world.stella)
    with pytest.raises(Conflict):
        invoices.refund(invoice, amount=Decimal("1"), reason="Twice", ref="re_1", by=None)
    invoices.refund(invoice, reason="The rest", ref="re_2", by=None)
    assert (invoice.status, left_to_pay(invoice), paid_in_full().is_ok) == ("paid", 0, True)
    sent = Payment.objects.filter(provider="refund").order_by("created_at")
    assert [(each.amount, each.meta["reason"]) for each in sent] == [
        (Decimal("-100.00"), "Twice"),
        (Decimal("-19.00"), "The rest"),
    ]
    assert Event.objects.filter(kind="invoice_refunded").count() == 2
    # What a credit note takes off a paid invoice may go back, too, and no more.
    with pytest.raises(InvalidInput, match=r"At most \$0\.00"):
        invoices.refund(invoice, reason="r", ref="re_3", by=None)
    invoices.credit(invoice, amount=Decimal("19"), reason="Fault", by=None)
    invoices.refund(invoice, reason="Fault", ref="re_3", by=None)
    assert paid_in_full().is_ok


def test_money_of_an_open_or_void_invoice_goes_back_whole(invoice: Invoice) -> None:
    with pytest.raises(InvalidInput):
        invoices.refund(invoice, reason="r", ref="re_1", by=None)
    invoices.mark_paid(invoice, provider="stripe", ref="pi_1", amount=Decimal("19.00"))
    invoices.refund(invoice, reason="Paid by mistake", ref="re_1", by=None)
    assert left_to_pay(invoice) == Decimal("119.00")
    invoices.void(invoice, reason="Wrong", by=None)
    invoices.mark_paid(invoice, provider="stripe", ref="pi_2", amount=Decimal("119.00"))
    assert not paid_in_full().is_ok
    invoices.refund(invoice, reason="It is void", ref="re_2", by=None)
    assert (invoice.status, paid_in_full().is_ok) == ("void", True)


def test_a_credit_note_by_which_an_invoice_is_paid_stays(invoice: Invoice) -> None:
    part = invoices.credit(invoice, amount=Decimal("19"), reason="Fault", by=None)
    invoices.void(part, reason="Oops", by=None)
    paid_by = invoices.credit(invoice, amount=Decimal("119"), reason="Fault", by=None)
    with pytest.raises(WrongInvoiceStatus, match="is paid by it"):
        invoices.void(paid_by, reason="Oops", by=None)
    assert paid_by.status == "pending"
    assert paid_in_full().is_ok


REFUSED: list[Any] = [
    lambda each: invoices.mark_paid(each, ref=" "),
    lambda each: invoices.mark_paid(each, ref="r", amount=Decimal("118.99")),
    lambda each: invoices.mark_paid(each, ref="r", amount=Decimal("NaN")),
    lambda each: invoices.mark_paid(each, ref="r", amount=Decimal("119.001")),
    lambda each: invoices.mark_failed(each, reason=" "),
    lambda each: invoices.void(each, reason="", by=None),
    lambda each: invoices.credit(each, amount=Decimal(1), reason="", by=None),
    lambda each: invoices.credit(each, amount=Decimal(0), reason="r", by=None),
    lambda each: invoices.credit(each, amount=Decimal("119.01"), reason="r", by=None),
    lambda each: invoices.credit(each, amount=Decimal("1e99"), reason="r", by=None),
    lambda each: invoices.credit(each, amount=Decimal("Infinity"), reason="r", by=None),
    lambda each: invoices.refund(each, reason="", ref="r", by=None),
    lambda each: invoices.refund(each, reason="r", ref=" ", by=None),
    lambda each: invoices.refund(each, reason="r", ref="r", amount=Decimal(-1), by=None),
]


def test_what_cannot_be_is_refused(invoice: Invoice) -> None:
    for verb in REFUSED:
        with pytest.raises(InvalidInput):
            verb(invoice)
    assert Invoice.objects.get().status == "pending"
    assert not Payment.objects.exists()


def test_a_void_invoice_is_made_anew_or_written_off(invoice: Invoice, world: World) -> None:
    org, bob = world.organisation, world.bob
    with pytest.raises(InvoiceFinal):
        invoices.regenerate(invoice, by=world.adam)
    invoices.void(invoice, reason="Wrong address", by=world.adam)
    # Written off: the next run bills nothing of it.
    assert bill_due(now=on(12, 2)).invoices == 0
    assert totals(org) == {}
    used(org, bob, at=on(10, 10), recorded_at=on(12, 3), tokens=(1_000_000, 0, 0, 0))
    made = invoices.regenerate(invoice, by=world.adam)
    assert told(made) == [
        ("usage", "gpt-4o input", "2.50"),
        ("usage", "gpt-4o output", "100.00"),
    ]
    assert (invoice.replaced_by, made.label, made.status) == (made, "2026-000002", "pending")
    assert billed(org) == cost(org)
    with pytest.raises(WrongInvoiceStatus):
        invoices.regenerate(invoice, by=world.adam)
    assert bill_due(now=on(1, 2, year=2027)).invoices == 0
    # And once more.
    invoices.void(made, reason="Wrong again", by=world.adam)
    third = invoices.regenerate(made, by=world.adam)
    assert (third.label, third.total) == ("2026-000003", made.total)
    assert billed(org) == cost(org)


def test_adjustments_of_a_void_invoice_are_made_anew_with_it(world: World) -> None:
    org, bob, alice = world.organisation, world.bob, world.alice
    used(org, bob, at=on(10, 9))
    bill_due(now=on(11, 2))
    for person in (alice, bob):
        used(org, person, at=on(10, 9), recorded_at=on(11, 9))
        used(org, person, at=on(11, 9))
    bill_due(now=on(12, 2))
    old = Invoice.objects.get(period__month=11, user_id=bob.pk)
    invoices.void(old, reason="Wrong", by=None)
    made = invoices.regenerate(old, by=None)
    assert told(made) == told(old)
    assert billed(org) == cost(org)


def test_drafts_are_computed_again_and_finalised(world: World) -> None:
    org, bob = world.organisation, world.bob
    account = BillingAccount.objects.create(organisation=org, needs_review=True)
    used(org, bob, at=on(10, 9))
    (draft,) = bill_organisation(org.pk, OCTOBER, now=on(11, 2))
    for verb in (VERBS["paid"], VERBS["failed"], VERBS["void"]):
        with pytest.raises(WrongInvoiceStatus, match="draft"):
            verb(draft)
    used(org, bob, at=on(10, 9), recorded_at=on(11, 3))
    account.tax_percent = 10
    account.save()
    assert invoices.regenerate(draft, by=world.adam).total == Decimal("5.50")
    invoices.finalise(draft, world.adam)
    assert (draft.number, str(draft.total), draft.is_final) == (1, "5.50", True)
    draft.refresh_from_db()
    assert draft.content_hash == content_hash(draft, draft.lines.all())
    assert billed(org) == cost(org)
    with pytest.raises(InvoiceFinal):
        invoices.finalise(draft, world.adam)
    # A void one of an organisation whose invoices are looked at is made anew as a draft.
    invoices.void(draft, reason="Wrong", by=world.adam)
    assert not invoices.regenerate(draft, by=world.adam).is_final


def test_credit_notes_take_off_at_most_the_invoice(invoice: Invoice, world: World) -> None:
    notes = [
        invoices.credit(invoice, amount=Decimal(amount), reason="Fault =1", by=world.adam)
        for amount in ("0.01", "39.66", "39.66")
    ]
    with pytest.raises(InvalidInput, match=r"At most \$39\.67"):
        invoices.credit(invoice, amount=Decimal("39.68"), reason="r", by=world.adam)
    for broken in (notes[0], invoices.void(notes[2], reason="Twice", by=world.adam)):
        with pytest.raises(WrongInvoiceStatus):
            invoices.credit(broken, amount=Decimal(1), reason="r", by=world.adam)
    with pytest.raises(WrongInvoiceStatus):
        invoices.mark_paid(notes[0], ref="r")
    with pytest.raises(WrongInvoiceStatus, match="credit notes"):
        invoices.void(invoice, reason="r", by=world.adam)
    assert left_to_pay(invoice) == Decimal("79.33")
    notes.append(invoices.credit(invoice, amount=Decimal("79.33"), reason="All", by=world.adam))
    standing = [each for each in notes if each.status != "void"]
    assert sum(each.total for each in standing) == -invoice.total
    assert sum(each.tax for each in standing) == -invoice.tax
    assert [each.label for each in notes] == [f"CN-2026-00000{n}" for n in (1, 2, 3, 4)]
    assert told(notes[0]) == [("credit", "Credit for invoice 2026-000001: Fault =1", "-0.01")]
    for each in Invoice.objects.all():
        assert each.content_hash == content_hash(each, each.lines.all())
    # Nothing is left to pay, and nothing is billed again.
    assert Invoice.objects.get(pk=invoice.pk).status == "paid"
    assert bill_due(now=on(12, 2)).invoices == 0
    assert InvoiceNumber.objects.get(kind="invoice").last == 1


def test_paid_ones_are_credited_and_part_of_the_rest_is_paid(invoice: Invoice) -> None:
    invoices.credit(invoice, amount=Decimal("19"), reason="Fault", by=None)
    invoices.mark_paid(invoice, ref="transfer")
    assert Payment.objects.get().amount == Decimal("100.00")
    invoices.credit(invoice, amount=Decimal("100"), reason="Fault", by=None)
    assert Invoice.objects.get(pk=invoice.pk).status == "paid"


def test_the_database_has_the_last_word(invoice: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    invoices.mark_paid(invoice, ref="r")
    monkeypatch.setattr(invoice_moves, "OPEN", ("paid",))
    with pytest.raises(WrongInvoiceStatus), transaction.atomic():
        invoices.void(Invoice.objects.get(), reason="Wrong", by=None)
