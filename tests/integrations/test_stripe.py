"""Paying invoices through Stripe: a page once, money once, whoever tells of it, however often."""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_app.models import Invoice, Payment
from billing_app.services.payments import payers
from integrations_app.errors import AuthFailed, SignatureInvalid
from integrations_app.models import InboundEvent, Integration
from integrations_app.providers.base import Request
from integrations_app.providers.registry import provider_of
from integrations_app.providers.stripe import webhooks
from integrations_app.runtime.accounts import account_of
from integrations_app.services.integrations import create_integration
from one_project.accounts.models import Event, Organisation, User
from tests.billing.sample_invoices import make_invoice
from tests.integrations.one_connection import awaited
from tests.integrations.stripe_server import KEY, SECRET, StripeServer, signed, stripe_server, told
from tests.people import World

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def running_server() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


@pytest.fixture
def server(running_server: StripeServer, settings: Any) -> StripeServer:
    settings.ONE_PROVIDER_URLS = {"stripe": running_server.url}
    for one in (running_server.sessions, running_server.asked, running_server.failing):
        one.clear()
    return running_server


def set_up(organisation: Organisation, by: User, *, secret: str = SECRET) -> Integration:
    row = create_integration(
        organisation,
        by=by,
        provider="stripe",
        name="Stripe",
        settings={},
        credentials={"secret_key": KEY, "webhook_secret": secret},
        owner="organisation",
    )
    Integration.objects.filter(pk=row.pk).update(status="active")
    row.refresh_from_db()
    return row


@pytest.fixture
def stripe(world: World, server: StripeServer) -> Integration:
    return set_up(world.organisation, world.adam)


@pytest.fixture
def invoice(world: World) -> Invoice:
    return make_invoice(world.organisation, world.bob.pk)


def pay(user: User, invoice: Invoice) -> Any:
    client = Client()
    client.force_login(user)
    return client.post(reverse("usage:invoice_pay", args=[invoice.pk]), {"with": "stripe"})


def tell(stripe: Integration, body: bytes, signature: str = "") -> Any:
    return Client(enforce_csrf_checks=True).post(
        reverse("hooks:provider", args=[stripe.pk]),
        body,
        content_type="application/json",
        headers={"stripe-signature": signature or signed(body)},
    )


def completed(event_id: str, payment: Payment, **changes: Any) -> bytes:
    held = {
        "object": "checkout.session",
        "id": payment.provider_ref,
        "payment_status": "paid",
        "amount_total": int(payment.amount * 100),
        "currency": "usd",
        "metadata": {"payment": str(payment.pk)},
    }
    return told(event_id, "checkout.session.completed", **held | changes)


def begun(world: World, invoice: Invoice) -> Payment:
    assert pay(world.bob, invoice).status_code == 303
    return Payment.objects.get(invoice=invoice, status="pending")


def status(invoice: Invoice) -> str:
    return Invoice.objects.get(pk=invoice.pk).status


def test_a_page_for_the_exact_cents_and_the_same_while_it_is_open(
    world: World, stripe: Integration, server: StripeServer, invoice: Invoice
) -> None:
    first = pay(world.bob, invoice)
    assert first.status_code == 303
    assert pay(world.adam, invoice).headers["Location"] == first.headers["Location"]
    (asked,) = server.asked
    payment = Payment.objects.get()
    assert asked["line_items[0][price_data][unit_amount]"] == "123611"
    assert asked["line_items[0][price_data][currency]"] == "usd"
    assert asked["metadata[invoice]"] == str(invoice.pk)
    assert asked["payment_intent_data[metadata][payment]"] == str(payment.pk)
    assert asked["success_url"] == f"http://testserver/usage/invoices/{invoice.pk}/?paid=1"
    assert (payment.amount, payment.status, payment.url) == (
        invoice.total, "pending", first.headers["Location"]
    )  # fmt: skip


def test_a_process_that_died_before_the_answer_gets_the_same_page(
    world: World, stripe: Integration, server: StripeServer, invoice: Invoice
) -> None:
    payment = begun(world, invoice)
    Payment.objects.update(provider_ref=f"begun:{payment.pk}", url="")
    assert pay(world.bob, invoice).headers["Location"] == payment.url
    assert len(server.sessions) == 1
    assert len(server.asked) == 2
    # Even the payment that we know no page of is told of by our own id.
    Payment.objects.update(provider_ref=f"begun:{payment.pk}", url="")
    tell(stripe, completed("evt_1", payment))
    assert status(invoice) == "paid"
    assert Payment.objects.get().provider_ref == payment.provider_ref


def test_what_failed_over_there_is_begun_anew(
    world: World, stripe: Integration, server: StripeServer, invoice: Invoice
) -> None:
    server.failing[:] = [503]
    refused = pay(world.bob, invoice)
    assert refused.status_code == 502
    assert "Stripe does not answer. Nothing was paid" in refused.content.decode()
    assert pay(world.bob, invoice).status_code == 303
    assert sorted(Payment.objects.values_list("status", flat=True)) == ["failed", "pending"]
    # A page that is about to close is not given to anybody any more.
    Payment.objects.update(created_at=timezone.now() - timedelta(hours=22, minutes=30))
    pay(world.bob, invoice)
    assert len(server.sessions) == 2


def test_money_counts_once(world: World, stripe: Integration, invoice: Invoice) -> None:
    payment = begun(world, invoice)
    body = completed("evt_1", payment)
    assert tell(stripe, body).json() == {"events": 1}
    assert status(invoice) == "paid"
    assert tell(stripe, body).json() == {"events": 0}
    tell(stripe, completed("evt_2", payment))
    late = {"metadata": {"payment": str(payment.pk)}}
    tell(stripe, told("evt_3", "payment_intent.payment_failed", **late))
    tell(stripe, told("evt_4", "checkout.session.expired", id=payment.provider_ref))
    (kept,) = Payment.objects.all()
    assert (kept.status, kept.amount, status(invoice)) == ("succeeded", invoice.total, "paid")
    assert InboundEvent.objects.filter(outcome="It was paid before.").count() == 3


def test_a_declined_card_fails_the_invoice_and_another_one_pays_it(
    world: World, stripe: Integration, invoice: Invoice
) -> None:
    payment = begun(world, invoice)
    declined = {
        "metadata": {"payment": str(payment.pk)},
        "last_payment_error": {"code": "card_declined", "message": "canary-sentence"},
    }
    tell(stripe, told("evt_1", "payment_intent.payment_failed", **declined))
    invoice.refresh_from_db()
    assert (invoice.status, invoice.reason) == ("failed", "The card was declined.")
    tell(stripe, completed("evt_2", payment))
    assert status(invoice) == "paid"


def test_what_can_be_tried_no_more_on_its_page_is_tried_on_another(
    world: World, stripe: Integration, server: StripeServer, invoice: Invoice
) -> None:
    payment = begun(world, invoice)
    tell(
        stripe,
        told("evt_1", "checkout.session.async_payment_failed", id=payment.provider_ref),
    )
    assert status(invoice) == "failed"
    again = begun(world, invoice)
    assert again.provider_ref != payment.provider_ref
    tell(stripe, completed("evt_2", again))
    assert status(invoice) == "paid"


def test_only_whose_it_is_and_admins_are_sent_to_pay(
    world: World, stripe: Integration, server: StripeServer, invoice: Invoice
) -> None:
    for other in (world.stella, world.charlie):
        assert pay(other, invoice).status_code == 404
    assert not Payment.objects.exists()
    assert not server.asked


def test_a_page_that_closed_is_followed_by_another(
    world: World, stripe: Integration, server: StripeServer, invoice: Invoice
) -> None:
    payment = begun(world, invoice)
    tell(stripe, told("evt_1", "checkout.session.expired", id=payment.provider_ref))
    assert status(invoice) == "pending"
    again = begun(world, invoice)
    assert again.provider_ref != payment.provider_ref


@pytest.mark.parametrize(
    "wrong",
    [{"amount_total": 123610}, {"currency": "eur"}, {"payment_status": "unpaid"}],
    ids=str,
)
def test_other_amounts_and_currencies_pay_nothing(
    world: World, stripe: Integration, invoice: Invoice, wrong: dict[str, Any]
) -> None:
    payment = begun(world, invoice)
    tell(stripe, completed("evt_1", payment, **wrong))
    assert status(invoice) == "pending"
    is_told = Event.objects.filter(kind="payment_mismatch").exists()
    assert is_told is ("payment_status" not in wrong)


def test_only_the_integration_that_began_it_can_tell_of_it(
    world: World, stripe: Integration, invoice: Invoice
) -> None:
    payment = begun(world, invoice)
    other = set_up(world.elsewhere, world.charlie)
    assert tell(other, completed("evt_1", payment)).json() == {"events": 1}
    assert InboundEvent.objects.get().outcome == "No such payment."
    assert status(invoice) == "pending"


def test_money_for_what_is_void_meanwhile_is_kept_and_told(
    world: World, stripe: Integration, invoice: Invoice
) -> None:
    payment = begun(world, invoice)
    Invoice.objects.update(status="void", reason="wrong")
    tell(stripe, completed("evt_1", payment))
    assert status(invoice) == "void"
    assert Payment.objects.get().status == "succeeded"
    assert Event.objects.filter(kind="invoice_paid_unexpectedly").exists()


def test_signatures(world: World, stripe: Integration, invoice: Invoice) -> None:
    payment = begun(world, invoice)
    body = completed("evt_1", payment)
    now = time.time()
    for wrong in (
        signed(body, secret="whsec_other"),
        signed(body, at=now - 301),
        signed(body, at=now + 301),
        signed(body + b" "),
        signed(body).replace("v1=", "v0="),
        f"t=1,{signed(body)}",
        "t=é,v1=é",
        "x",
    ):
        assert tell(stripe, body, wrong).status_code == 403, wrong
    assert not InboundEvent.objects.exists()
    assert tell(stripe, body, f"{signed(body)},v1={'0' * 64}").status_code == 200
    assert status(invoice) == "paid"


def test_a_page_of_another_payment_pays_nothing(
    world: World, stripe: Integration, invoice: Invoice
) -> None:
    other = begun(world, make_invoice(world.organisation, world.bob.pk, number=2,
                                      period=date(2026, 6, 1)))  # fmt: skip
    Payment.objects.update(meta={})  # begun through another integration
    payment = begun(world, invoice)
    assert tell(stripe, completed("evt_1", payment, id=other.provider_ref)).status_code == 200
    assert status(invoice) == "pending"
    assert Event.objects.filter(kind="payment_mismatch").exists()


@pytest.mark.parametrize("where", ["event", "id", "currency"])
def test_words_that_no_row_can_hold_are_refused(stripe: Integration, where: str) -> None:
    held = {"id": "cs_1", "payment_status": "paid", "amount_total": 1, "currency": "usd"}
    wrongs: list[Any] = ["a\x00b", "", "x" * 201, 1, None]
    for wrong in wrongs:
        event = held | ({} if where == "event" else {where: wrong})
        body = told(wrong if where == "event" else "evt_1", "checkout.session.completed", **event)
        assert tell(stripe, body).status_code == 422, wrong


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 1, "type": "checkout.session.x"}'])
def test_what_is_no_event_is_refused(stripe: Integration, body: bytes) -> None:
    assert tell(stripe, body).status_code == 422


def test_events_of_other_things_are_taken_and_do_nothing(stripe: Integration) -> None:
    assert tell(stripe, told("evt_1", "customer.created", id="cus_1")).json() == {"events": 0}


def test_without_a_webhook_secret_nobody_signs(world: World) -> None:
    request = Request(method="POST", url="", headers={}, body=b"{}", received_at=timezone.now())
    with pytest.raises(SignatureInvalid):
        webhooks.verify("", request)


def test_who_takes_the_money(world: World, server: StripeServer, settings: Any) -> None:
    people = make_invoice(world.organisation, world.bob.pk)
    own = make_invoice(world.organisation, None, number=2)
    small = make_invoice(
        world.organisation, world.alice.pk, number=3, lines=[("m", "input", 1, "1", "0.49")]
    )
    assert payers(people) == []
    half = set_up(world.organisation, world.adam, secret="")
    assert payers(people) == []  # nothing could tell that it was paid
    half.delete()
    set_up(world.organisation, world.adam)
    # An organisation does not pay to itself, and Stripe takes no less than 50 cents.
    assert [bool(payers(one)) for one in (people, own, small)] == [True, False, False]
    settings.ONE_PAYMENTS_ORGANISATION = str(world.elsewhere.pk)
    assert not payers(people)
    taker = set_up(world.elsewhere, world.charlie)
    assert [bool(payers(one)) for one in (people, own, small)] == [True, True, False]
    assert pay(world.alice, own).status_code == 303
    assert Payment.objects.get().meta["integration"] == str(taker.pk)
    Integration.objects.update(status="inactive")
    assert not payers(people)


def test_what_is_left_after_a_credit_note_is_asked_for(
    world: World, stripe: Integration, server: StripeServer, invoice: Invoice
) -> None:
    from billing_app.services.invoices import credit

    credit(invoice, amount=Decimal("36.11"), reason="A mistake", by=None)
    begun(world, invoice)
    assert server.asked[-1]["line_items[0][price_data][unit_amount]"] == "120000"
    tell(stripe, completed("evt_1", Payment.objects.get()))
    assert status(invoice) == "paid"


def test_the_key_is_tried_and_shown_nowhere(
    world: World, stripe: Integration, server: StripeServer
) -> None:
    provider = provider_of("stripe")
    assert "tests only" in awaited(provider.test_connection, account_of(stripe))
    stripe.credentials = {"secret_key": "sk_live_canary-wrong", "webhook_secret": ""}
    with pytest.raises(AuthFailed) as raised:
        awaited(provider.test_connection, account_of(stripe))
    assert "canary" not in f"{raised.value!r}{raised.value.user_message}{raised.value.detail}"
    client = Client()
    client.force_login(world.adam)
    shown = client.get(f"/connections/{stripe.pk}/").content.decode()
    assert "Payments" in shown
    assert f"/hooks/providers/{stripe.pk}/" in shown
    assert "canary" not in shown
    assert "Stripe" in client.get("/connections/providers/?q=stripe").content.decode()
