"""Stripe Checkout: a page for each payment, made with an idempotency key, told of by webhooks."""

from typing import Any, Final
from urllib.parse import urlsplit

from integrations_app.errors import AuthFailed, OutcomeUnknown, Permanent, SendError
from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.http import Fetched
from integrations_app.providers.mail.refusals import meaning, wait_of
from integrations_app.providers.payments import Order, Page, PaymentEvent, PaymentProvider
from integrations_app.providers.places import base_url, replaced
from integrations_app.providers.posting import answer_of, asked
from integrations_app.providers.stripe import webhooks
from integrations_app.providers.stripe.forms import StripeCredentials, StripeSettings

# The shape of requests and events stays the one of this day.
VERSION: Final = "2024-06-20"
_TEST_SECONDS: Final = 10.0


@register
class Stripe(PaymentProvider):
    slug = "stripe"
    title = "Stripe"
    description = "Invoices are paid by card, and by what else your Stripe account takes."
    settings_model = StripeSettings
    credentials_model = StripeCredentials
    # Stripe takes no less than 50 cents.
    min_cents = 50

    async def test_connection(self, account: Account) -> str:
        found = await asked(
            f"{base_url('stripe')}/v1/checkout/sessions",
            params={"limit": "1"},
            deadline=_TEST_SECONDS,
            is_read=True,
            headers=_headers(account),
        )
        if not found.is_ok:
            raise _meant(found)
        key = account.credentials.secret_key.get_secret_value()
        said = "Stripe accepts the key"
        said += ", for tests only." if "_test_" in key else "."
        if not self.is_ready(account):
            said += " Set the webhook's signing secret, too: then invoices can be paid."
        return said

    def is_ready(self, account: Account) -> bool:
        return bool(account.credentials.webhook_secret.get_secret_value())

    async def begin(self, account: Account, order: Order, *, deadline: float) -> Page:
        found = await asked(
            f"{base_url('stripe')}/v1/checkout/sessions",
            method="POST",
            deadline=deadline,
            headers={**_headers(account), "Idempotency-Key": f"one-{order.payment_id}"},
            form=_form(order),
        )
        if not found.is_ok:
            raise _meant(found)
        answer = answer_of(found)
        ref, url = answer.get("id"), answer.get("url")
        if not isinstance(ref, str) or not isinstance(url, str) or len(ref) > 200:
            raise OutcomeUnknown(code="no_page")
        parts = urlsplit(url)
        # People are sent there: nowhere but to a page that is safe (or the operator's own server).
        if len(url) > 1_000 or not (parts.scheme == "https" or replaced("stripe")):
            raise Permanent(code="bad_page")
        return Page(ref=ref, url=url)

    def verify_webhook(self, account: Account, request: Request) -> None:
        webhooks.verify(account.credentials.webhook_secret.get_secret_value(), request)

    def parse_payments(self, account: Account, request: Request) -> list[PaymentEvent]:
        return webhooks.parse(request.body)


def _headers(account: Account) -> dict[str, str]:
    key = account.credentials.secret_key.get_secret_value()
    return {"Authorization": f"Bearer {key}", "Stripe-Version": VERSION}


def _form(order: Order) -> dict[str, str]:
    """The same for the same order, or the idempotency key would not hold."""
    ours = {"invoice": str(order.invoice_id), "payment": str(order.payment_id)}
    price = "line_items[0][price_data]"
    found = {
        "mode": "payment",
        "success_url": f"{order.return_url}?paid=1",
        "cancel_url": order.return_url,
        "client_reference_id": str(order.invoice_id),
        "expires_at": str(int(order.expires_at.timestamp())),
        "line_items[0][quantity]": "1",
        f"{price}[currency]": "usd",
        f"{price}[unit_amount]": str(order.cents),
        f"{price}[product_data][name]": order.title,
    }
    for name, value in ours.items():
        found[f"metadata[{name}]"] = value
        # Of the card's attempt, which is told of by itself when it fails.
        found[f"payment_intent_data[metadata][{name}]"] = value
    if order.email:
        found["customer_email"] = order.email
    return found


def _meant(found: Fetched) -> SendError:
    """Only their code of one word is kept: their sentences quote keys."""
    error: Any = answer_of(found).get("error")
    said = str(error.get("code") or error.get("type") or "") if isinstance(error, dict) else ""
    code = said if said.replace("_", "").isalnum() and len(said) <= 60 else ""
    if found.status == 401 or code in ("api_key_expired", "secret_key_required"):
        return AuthFailed("Stripe did not accept the key.", code=code, http_status=found.status)
    if found.status == 409:
        # The same request is being worked on right now.
        return OutcomeUnknown("Please try again in a moment.", code=code, http_status=409)
    return meaning(found.status, code=code, retry_after=wait_of(found.headers))
