"""The pages of invoices: whose one sees, filters and sums, files, paying."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from billing_app.models import Invoice, InvoiceKind
from billing_app.services import payments
from billing_app.services.invoice_files import html_of
from billing_app.services.payments import register_payer
from one_project.accounts.models import User
from tests.billing.sample_invoices import make_invoice
from tests.people import World

pytestmark = pytest.mark.django_db
LIST = "/usage/invoices/"


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(user: User, path: str) -> str:
    return as_(user).get(path).content.decode()


def test_people_see_their_own_and_admins_all_with_drafts(world: World) -> None:
    organisation = world.organisation
    make_invoice(organisation, world.bob.pk, number=1, name="Bob")
    make_invoice(organisation, world.alice.pk, number=2, name="Alice")
    make_invoice(organisation, None, name="Acme itself", is_final=False)
    make_invoice(organisation, world.bob.pk, is_final=False, period=date(2026, 6, 1))
    make_invoice(world.elsewhere, world.charlie.pk, number=3, name="Charlie")
    mine = page(world.bob, LIST)
    assert "2026-000001" in mine
    for hidden in ("2026-000002", "2026-000003", "Draft", "Alice"):
        assert hidden not in mine
    assert "No invoices" in page(world.stella, LIST)
    everything = page(world.adam, LIST)
    for shown in ("2026-000001", "2026-000002", "Draft for May 2026", "Acme itself"):
        assert shown in everything
    assert "2026-000003" not in everything


def test_filters_and_the_sums_of_what_they_show(world: World) -> None:
    organisation, line = world.organisation, ("m", "input", 1_000_000, "10")
    first = make_invoice(organisation, world.bob.pk, lines=[(*line, "10.00")], name="Bob")
    make_invoice(organisation, world.alice.pk, number=2, lines=[(*line, "7.50")], name="Alice")
    make_invoice(organisation, None, is_final=False, lines=[(*line, "100.00")])
    make_invoice(
        organisation, world.bob.pk, kind=InvoiceKind.CREDIT_NOTE, credits=first,
        lines=[("", "", 0, "0", "-2.00")], name="Bob",
    )  # fmt: skip
    Invoice.objects.filter(number=2).update(status="paid")
    for query, sums in (
        ("", ("4 in all", "$15.50", "$7.50 paid, $10.00 open")),
        ("?status=paid", ("1 in all", "$7.50")),
        ("?status=draft", ("1 in all", "$0.00")),
        ("?q=bob", ("2 in all", "$8.00")),
        ("?month=2026-05", ("4 in all", "$15.50")),
    ):
        found = " ".join(page(world.adam, LIST + query).split())
        assert all(one in found for one in sums), query
    assert "No invoices like this" in page(world.adam, f"{LIST}?month=2026-04")
    # What makes no sense is left out.
    assert "4 in all" in page(world.adam, f"{LIST}?month=9999-99&status=%00&page=x")


def test_an_invoice_its_credit_notes_and_payments(world: World) -> None:
    invoice = make_invoice(world.organisation, world.bob.pk)
    note = make_invoice(
        world.organisation, world.bob.pk, kind=InvoiceKind.CREDIT_NOTE, credits=invoice,
        lines=[("", "", 0, "0", "-2.00")], reason="A wrong price", number=4,
    )  # fmt: skip
    common = {"organisation": world.organisation, "provider": "manual"}
    invoice.payments.create(**common, provider_ref="bank-1", amount=5, status="succeeded")
    invoice.payments.create(**common, provider_ref="begun", amount=9, status="pending")
    shown = page(world.bob, reverse("usage:invoice", args=[invoice.pk]))
    for said in ("$1,236.11", "123,456,789", "A wrong price", "-$2.00", "$5.00", str(note.pk)):
        assert said in shown
    assert "$9.00" not in shown
    assert "bank-1" not in shown
    assert "bank-1" in page(world.adam, reverse("usage:invoice", args=[invoice.pk]))
    assert str(invoice.pk) in page(world.bob, reverse("usage:invoice", args=[note.pk]))


def test_a_failed_payment_says_what_is_still_to_be_paid(world: World) -> None:
    invoice = make_invoice(
        world.organisation, world.bob.pk, status="failed", reason="Declined by the bank"
    )
    address = reverse("usage:invoice", args=[invoice.pk])
    shown = page(world.bob, address)
    assert "Declined by the bank" in shown
    assert "$1,236.11 is still to be paid" in shown
    make_invoice(
        world.organisation, world.bob.pk, kind=InvoiceKind.CREDIT_NOTE, credits=invoice,
        lines=[("", "", 0, "0", "-1236.11")], number=4,
    )  # fmt: skip
    assert "still to be paid" not in page(world.bob, address)


def test_reasons_of_a_void_invoice_and_its_successor_stand_apart(world: World) -> None:
    anew = make_invoice(world.organisation, world.bob.pk, number=2)
    invoice = make_invoice(
        world.organisation, world.bob.pk, status="void", reason="Wrong address", replaced_by=anew
    )
    shown = page(world.adam, reverse("usage:invoice", args=[invoice.pk]))
    assert re.search(r"<bdi>Wrong address</bdi>\s*</p>", shown)
    assert str(anew.pk) in shown


@pytest.mark.parametrize("name", ["invoice", "invoice_print", "invoice_pdf", "invoice_csv"])
def test_a_draft_and_what_is_somebody_elses_do_not_exist(world: World, name: str) -> None:
    final = make_invoice(world.organisation, world.bob.pk)
    draft = make_invoice(world.organisation, world.bob.pk, is_final=False, period=date(2026, 6, 1))
    codes = {
        (user.name, row.is_final): as_(user)
        .get(reverse(f"usage:{name}", args=[row.pk]))
        .status_code
        for user in (world.bob, world.stella, world.adam, world.charlie)
        for row in (final, draft)
    }
    seen = {key for key, code in codes.items() if code == 200}
    assert seen == {("Bob", True), ("Adam", True), ("Adam", False)}
    assert set(codes.values()) == {200, 404}


def test_files_are_saved_and_kept_by_no_cache(world: World) -> None:
    invoice = make_invoice(world.organisation, world.bob.pk, name="=cmd()")
    bob = as_(world.bob)
    pdf = bob.get(reverse("usage:invoice_pdf", args=[invoice.pk]))
    rows = bob.get(reverse("usage:invoice_csv", args=[invoice.pk]))
    for response, ending in ((pdf, "pdf"), (rows, "csv")):
        disposition = response.headers["Content-Disposition"]
        assert disposition == f'attachment; filename="invoice-2026-000001.{ending}"'
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in response.headers["Cache-Control"]
    assert pdf.content.startswith(b"%PDF")
    parsed = list(csv.reader(io.StringIO(rows.getvalue().decode("utf-8-sig"))))
    assert parsed[-1][-2] == str(invoice.total)


def test_paper_is_the_same_in_every_zone(world: World) -> None:
    from zoneinfo import ZoneInfo

    from django.utils import timezone

    invoice = make_invoice(world.organisation, world.bob.pk)
    seen = set()
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        with timezone.override(ZoneInfo(zone)):
            seen.add(html_of(invoice))
    assert len(seen) == 1


@pytest.fixture
def payer() -> Iterator[list[str]]:
    """A way to pay; the addresses that people were to come back to."""
    asked: list[str] = []

    def begin(invoice: Invoice, return_url: str) -> str:
        asked.append(return_url)
        return f"https://pay.example.test/{invoice.label}"

    register_payer("sample", "Sample", begin)
    yield asked
    del payments._payers["sample"]


def test_paying_leads_to_the_way_and_only_for_what_is_open(world: World, payer: list[str]) -> None:
    invoice = make_invoice(world.organisation, world.bob.pk)
    address = reverse("usage:invoice_pay", args=[invoice.pk])
    assert "Pay $1,236.11 with Sample" in page(world.bob, f"{LIST}{invoice.pk}/")
    bob = as_(world.bob)
    assert bob.post(address, {"with": "sample"}).headers["Location"] == (
        "https://pay.example.test/2026-000001"
    )
    scripted = bob.post(address, headers={"HX-Request": "true"})
    assert scripted.headers["HX-Redirect"] == "https://pay.example.test/2026-000001"
    assert payer == [f"http://testserver{LIST}{invoice.pk}/"] * 2
    assert bob.post(address, {"with": "other"}).status_code == 404
    assert as_(world.stella).post(address).status_code == 404
    Invoice.objects.update(status="void", reason="wrong")
    assert bob.post(address).status_code == 409
    assert "Pay $" not in page(world.bob, f"{LIST}{invoice.pk}/")


def test_without_a_way_to_pay_there_is_no_button(world: World) -> None:
    invoice = make_invoice(world.organisation, world.bob.pk)
    assert "Pay $" not in page(world.bob, f"{LIST}{invoice.pk}/")
    assert as_(world.bob).post(reverse("usage:invoice_pay", args=[invoice.pk])).status_code == 404
