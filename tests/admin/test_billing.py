"""What billing's admins do beyond showing rows, and what they never do."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing_app.models import (
    BillingAccount,
    Budget,
    CreditEntry,
    Invoice,
    InvoiceStatus,
    ModelPrice,
    Payment,
    Pricing,
    Reconciliation,
    UsageRecord,
    Wallet,
)
from billing_app.services.invoices import mark_paid
from billing_app.services.invoicing import bill_due
from one_project.accounts.models import Team
from one_project.workflows.models import WorkItem
from tests.admin.billing_rows import BILLING_MAKERS, budget, invoice, price, reconciliation
from tests.admin.conftest import page
from tests.billing.prices import add_prices
from tests.billing.prices import price as price_row
from tests.billing.using import on, unpriced, used
from tests.people import World


def said(client: Client, address: str, **form: Any) -> str:
    """The page one ends up on after posting ``form``."""
    response = client.post(address, form, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def listed(client: Client, address: str, **chosen: str) -> list[Any]:
    """The rows of a list."""
    response: Any = client.get(address, chosen)
    return list(response.context_data["cl"].result_list)


def do(client: Client, action: str, *rows: Any, **form: Any) -> str:
    """What is said after an action on rows; with ``form`` its question is answered."""
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows], **form}
    if form:
        chosen["_answered"] = "yes"
    return said(client, page(type(rows[0]), "changelist"), **chosen)


def test_nothing_is_deleted(root: Client, world: World) -> None:
    for model, make in BILLING_MAKERS.items():
        row = make(world.organisation)
        assert root.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        chosen = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
        root.post(page(model, "changelist"), chosen)
        assert model._default_manager.filter(pk=row.pk).exists()


@pytest.fixture
def billed(world: World) -> Invoice:
    """A finalised invoice of Bob's, and an account for the next one."""
    used(world.organisation, world.bob, at=on(10, 3, year=2025))
    bill_due(on(11, 2, year=2025))
    return Invoice.objects.get()


class TestInvoices:
    """Every verb, and what it refuses."""

    def test_drafts_are_summed_up_by_themselves(self, root: Client, billed: Invoice) -> None:
        name = "شركة النور 🚀"
        customer = {"name": name, "address": "1 Road\nTown"}
        draft = Invoice.objects.create(
            organisation=billed.organisation, period=date(2025, 11, 1), subtotal=1234567,
            total=1234567, customer=customer,
        )  # fmt: skip
        html = root.get(page(Invoice, "changelist")).content.decode()
        for label, sum in (
            ("Drafts", "$1,234,567.00"), ("Pending", "$2.50"), ("Finalised and not void", "$2.50"),
        ):  # fmt: skip
            assert re.search(rf"{label} <strong [^>]*>{re.escape(sum)}<", html), label
        assert "November 2025" in html
        html = root.get(page(Invoice, "change", draft.pk)).content.decode()
        # As people write it, not as JSON does.
        assert f'<span class="is-line" dir="auto">{name}</span>' in html
        assert "$1,234,567.00" in html

    def test_lists_add_up_and_find_numbers(self, root: Client, billed: Invoice) -> None:
        html = root.get(page(Invoice, "changelist")).content.decode()
        assert 'Pending <strong class="text-font' in html
        assert "$2.50" in html
        for term, count in (("2025-000001", 1), ("1", 1), ("CN-2025-000001", 0), ("2", 0)):
            assert len(listed(root, page(Invoice, "changelist"), q=term)) == count, term

    def test_paid_with_a_reference(self, root: Client, billed: Invoice) -> None:
        assert "Of the bank or the cheque" in do(root, "mark_paid", billed)
        assert not Payment.objects.exists()
        assert "1 marked as paid" in do(root, "mark_paid", billed, reference="No. 7")
        billed.refresh_from_db()
        assert billed.status == InvoiceStatus.PAID
        assert Payment.objects.get().provider_ref == "No. 7 · 2025-000001"
        do(root, "void", billed, reason="Too late")
        billed.refresh_from_db()
        assert billed.status == InvoiceStatus.PAID

    def test_failed_then_again_then_void_then_anew(self, root: Client, billed: Invoice) -> None:
        assert "1 marked as failed" in do(root, "mark_failed", billed, reason="Card refused")
        assert "1 pending again" in do(root, "retry", billed)
        assert "finalised and does not change" in do(root, "regenerate", billed)
        assert "This field is required" in do(root, "void", billed, reason=" ")
        assert "1 void" in do(root, "void", billed, reason="Wrong address")
        assert "1 made anew" in do(root, "regenerate", billed)
        billed.refresh_from_db()
        assert (billed.status, billed.reason) == (InvoiceStatus.VOID, "Wrong address")
        assert billed.replaced_by is not None
        assert billed.replaced_by.total == billed.total

    def test_credit_notes_and_resending(self, root: Client, billed: Invoice) -> None:
        assert "1 sent again" in do(root, "resend", billed)
        assert "more than nothing" in do(root, "credit", billed, amount="0", reason="Outage")
        assert "can be credited" in do(root, "credit", billed, amount="9", reason="Outage")
        assert "1 credited" in do(root, "credit", billed, amount="1.00", reason="Outage")
        assert Invoice.objects.get(kind="credit_note").total == Decimal("-1.00")

    def test_money_that_went_back_is_noted_once(self, root: Client, billed: Invoice) -> None:
        verb = "Note money that was sent back"
        assert verb not in root.get(page(Invoice, "change", billed.pk)).content.decode()
        mark_paid(billed, provider="stripe", ref="pi_1", amount=Decimal("3.50"))
        assert verb in root.get(page(Invoice, "change", billed.pk)).content.decode()
        assert "can be sent back" in do(root, "refund", billed, amount="1.01", reason="Too much")
        for _ in range(2):
            assert "1 noted as sent back" in do(
                root, "refund", billed, amount="1.00", reason="Too much"
            )
        assert [each.amount for each in Payment.objects.order_by("created_at")] == [
            Decimal("3.50"), Decimal("-1.00"),
        ]  # fmt: skip

    def test_drafts_are_discarded_and_finalised(self, root: Client, world: World) -> None:
        first, second = invoice(world.organisation), invoice(world.organisation)
        assert "1 discarded" in do(root, "discard", first)
        assert "1 finalised" in do(root, "finalise", second)
        assert "does not change" in do(root, "discard", second)
        assert list(Invoice.objects.all()) == [second]

    def test_files_are_for_those_who_see_the_invoice(
        self, root: Client, own_admin: Client, world: World, billed: Invoice
    ) -> None:
        for what in ("csv", "print"):
            assert b"gpt-4o" in root.get(page(Invoice, what, billed.pk)).content
            assert own_admin.get(page(Invoice, what, billed.pk)).status_code == 200
            other = invoice(world.elsewhere)
            assert own_admin.get(page(Invoice, what, other.pk)).status_code == 404
        assert root.get(page(Invoice, "pdf", billed.pk)).status_code in {200, 503}

    def test_who_is_billed_settles_nothing(self, own_admin: Client, billed: Invoice) -> None:
        html = own_admin.get(page(Invoice, "change", billed.pk)).content.decode()
        assert "Send again" in html
        # A form within the page's form would be none: the buttons say where they post to.
        assert f'formaction="{page(Invoice, "changelist")}"' in html
        assert "Mark as paid" not in html
        do(own_admin, "mark_paid", billed, reference="mine")
        assert not Payment.objects.exists()


class TestPrices:
    """A price in use is followed by another, never changed."""

    def form(self, **more: Any) -> dict[str, Any]:
        return {
            "provider": "openai", "model": "own-model", "token_type": "input", "service_tier": "",
            "context_from": "0", "amount": "2.5", "valid_from_0": "2026-01-01",
            "valid_from_1": "00:00:00", "valid_to_0": "", "valid_to_1": "", "note": "Agreed",
            **more,
        }  # fmt: skip

    def test_adding_and_refusing_what_overlaps(self, root: Client, world: World) -> None:
        said(root, page(ModelPrice, "add"), **self.form())
        made = ModelPrice.objects.get()
        assert (made.amount, made.source) == (Decimal("2.5"), "person")
        html = said(root, page(ModelPrice, "add"), **self.form(amount="3"))
        assert "There is another price" in html
        assert ModelPrice.objects.count() == 1

    def test_changing_closes_and_begins_anew(self, root: Client, world: World) -> None:
        row = price(world.organisation)
        said(root, page(ModelPrice, "change", row.pk), amount="4", note="", at_0="", at_1="")
        old, new = ModelPrice.objects.order_by("valid_from")
        assert (old.pk, old.amount, new.amount) == (row.pk, Decimal(1), Decimal(4))
        assert old.valid_to == new.valid_from
        address = page(ModelPrice, "change", old.pk)
        assert root.post(address, {"amount": "9"}).status_code == 403

    def test_ending_seeding_and_drift(self, root: Client, world: World) -> None:
        assert "1 ended" in do(root, "end", price(world.organisation))
        assert " added, " in said(root, page(ModelPrice, "seed"))
        assert root.get(page(ModelPrice, "seed")).status_code == 405
        assert root.get(page(ModelPrice, "drift")).status_code == 200
        chosen = {"provider": "openai", "model": "gpt-4o", "valid": "now"}
        seen = listed(root, page(ModelPrice, "changelist"), **chosen)
        assert {row.model for row in seen} == {"gpt-4o"}


def test_what_has_no_price_is_listed_and_filled_in(root: Client, world: World) -> None:
    unpriced(world.organisation, at=on(10, 3), model_requested="gpt-9")
    address = root.get(page(UsageRecord, "unpriced"))["Location"]
    assert len(listed(root, address)) == 1
    assert "0 priced; 1 still" in said(root, page(UsageRecord, "fill"))
    add_prices(*(price_row(model="gpt-9", token_type=each) for each in ("input", "output")))
    assert "1 priced; 0 still" in said(root, page(UsageRecord, "fill"))
    assert UsageRecord.objects.get().pricing == Pricing.LISTED


class TestBudgets:
    """Whose budget it is, is chosen by name; a service keeps it."""

    def test_for_one_for_each_and_not_for_others(self, own_admin: Client, world: World) -> None:
        team = Team.objects.create(organisation=world.organisation, name="Front desk")
        html = own_admin.get(page(Budget, "add")).content.decode()
        for name in ("Front desk", "Bob (", "Guide", "Each person by themselves"):
            assert name in html
        assert world.charlie.email not in html
        base = {"organisation": str(world.organisation.pk), "window": "month"}
        for whose in ("user", f"team:{team.pk}", f"agent:{world.agent.pk}"):
            form = {**base, "whose": whose, "soft_limit": "", "hard_limit": "5"}
            assert own_admin.post(page(Budget, "add"), form).status_code == 302
        assert {(each.scope, each.subject_id) for each in Budget.objects.all()} == {
            ("user", None), ("team", team.pk), ("agent", world.agent.pk),
        }  # fmt: skip
        form = {**base, "whose": f"user:{world.charlie.pk}", "hard_limit": "5"}
        assert own_admin.post(page(Budget, "add"), form).status_code == 200
        form = {**base, "whose": "organisation", "hard_limit": "", "soft_limit": ""}
        assert "Please set a limit" in said(own_admin, page(Budget, "add"), **form)
        assert Budget.objects.count() == 3

    def test_of_another_organisation_is_refused(self, root: Client, world: World) -> None:
        form = {
            "organisation": str(world.elsewhere.pk), "window": "month", "hard_limit": "5",
            "whose": f"user:{world.bob.pk}",
        }  # fmt: skip
        assert "belongs to another organisation" in said(root, page(Budget, "add"), **form)
        assert not Budget.objects.exists()

    def test_limits_change_and_the_bar_shows(self, root: Client, world: World) -> None:
        row = budget(world.organisation)
        Wallet.objects.create(
            organisation=world.organisation, budget=row, subject_id=row.subject_id,
            window_start=timezone.now().date().replace(day=1), spent=Decimal("2.5"),
        )  # fmt: skip
        html = root.get(page(Budget, "changelist")).content.decode()
        assert 'value="50"' in html
        assert "$2.50 of $5.00" in html
        form = {"hard_limit": "10", "soft_limit": "8", "is_active": ""}
        root.post(page(Budget, "change", row.pk), {k: v for k, v in form.items() if v})
        row.refresh_from_db()
        assert (row.hard_limit, row.soft_limit) == (Decimal(10), Decimal(8))
        assert not row.is_active


def test_credits_are_given_once_and_by_superusers(
    root: Client, own_admin: Client, world: World
) -> None:
    assert own_admin.get(page(CreditEntry, "grant")).status_code == 403
    form = {
        "organisation": str(world.organisation.pk), "amount": "5", "note": "Welcome",
        "reference": "one",
    }  # fmt: skip
    for _ in range(2):
        assert "has $5.00 now" in said(root, page(CreditEntry, "grant"), **form)
    less = {**form, "amount": "-9"}
    assert "Only $5.00 are left" in said(root, page(CreditEntry, "adjust"), **less)
    assert CreditEntry.objects.count() == 1


class TestBooks:
    """Red where everybody who can mend it looks."""

    def test_the_start_page_and_the_report(
        self, root: Client, own_admin: Client, world: World
    ) -> None:
        row = reconciliation(world.organisation)
        assert "The books do not agree (broken: 1 of 1 (1))" in root.get("/admin/").content.decode()
        assert "The books" not in own_admin.get("/admin/").content.decode()
        html = root.get(page(Reconciliation, "change", row.pk)).content.decode()
        assert "acme 2026-05: 0.01" in html
        Reconciliation.objects.create(is_ok=True)
        assert "The books" not in root.get("/admin/").content.decode()

    def test_check_now_is_work_for_a_worker(self, root: Client) -> None:
        assert "A worker checks the books" in said(root, page(Reconciliation, "check"))
        assert WorkItem.objects.get().function == "billing_app.reconcile"


def test_terms_of_an_account_are_not_the_customers(own_admin: Client, world: World) -> None:
    made = BillingAccount.objects.create(organisation=world.organisation)
    form = {"legal_name": "Acme Ltd", "is_prepaid": "on", "payment_days": "999"}
    assert own_admin.post(page(BillingAccount, "change", made.pk), form).status_code == 302
    made.refresh_from_db()
    assert (made.legal_name, made.is_prepaid, made.payment_days) == ("Acme Ltd", False, 14)
