"""Who is told of invoices and budgets."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from billing_app.models import Budget, Invoice, Wallet
from billing_app.services import invoice_events, warnings
from billing_app.services.invoices import mark_failed, mark_paid, resend
from integrations_app.models import Notification
from integrations_app.services.billing_notices import tell_invoice
from one_project.workflows.models import WorkItem
from tests.billing.sample_invoices import make_invoice
from tests.people import World

pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, str]]:
    """Whom what was told, after the workers have told all they were given to."""
    for item in WorkItem.objects.filter(function="integrations.tell_invoice", status="ready"):
        arguments: dict[str, Any] = item.arguments
        tell_invoice.function(**{**arguments, "invoice_id": UUID(arguments["invoice_id"])})
    rows = Notification.objects.order_by("created_at", "user__name").select_related("user")
    return [(row.user.name, row.payload["title"]) for row in rows if row.user]


def test_an_invoice_is_told_to_its_person_once_and_again_when_asked(world: World) -> None:
    invoice = make_invoice(world.organisation, world.bob.pk)
    for _ in range(2):
        invoice_events.tell(invoice, "finalised")
    assert told() == [("Bob", "Invoice 2026-000001 for May 2026")]
    assert Notification.objects.get().payload["body"] == "$1,236.11, due on 16 June 2026."
    resend(invoice, by=world.adam)
    assert len(told()) == 2
    mark_failed(invoice, reason="The card was declined.")
    mark_paid(invoice, ref="bank", by=world.adam)
    assert [title for _, title in told()[2:]] == [
        "The payment of invoice 2026-000001 did not go through",
        "Invoice 2026-000001 is paid",
    ]


def test_the_organisations_own_is_told_to_its_admins_and_leavers_to_nobody(world: World) -> None:
    invoice_events.tell(make_invoice(world.organisation, None), "finalised")
    assert {name for name, _ in told()} == {"Alice", "Adam"}
    Notification.objects.all().delete()
    gone = make_invoice(world.organisation, world.charlie.pk, number=2)
    invoice_events.tell(gone, "finalised")
    WorkItem.objects.exclude(arguments__invoice_id=str(gone.pk)).delete()
    assert told() == []
    assert Invoice.objects.count() == 2


def test_a_budget_is_told_to_whose_it_is_and_who_can_raise_it(world: World) -> None:
    budget = Budget.objects.create(
        organisation=world.organisation,
        scope="user",
        subject_id=world.bob.pk,
        soft_limit=Decimal(1),
        hard_limit=Decimal(2),
    )
    wallet = Wallet.objects.create(
        organisation=world.organisation, budget=budget, subject_id=world.bob.pk, spent=Decimal(2)
    )
    for _ in range(2):
        warnings.warn(wallet, "soft")
    names = sorted(name for name, _ in told())
    assert names == ["Adam", "Alice", "Bob"]
    warnings.warn(wallet, "hard")
    assert len(told()) == 6
    assert "used up" in told()[-1][1]
