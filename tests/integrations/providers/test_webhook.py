"""Webhooks to addresses of an organisation: signed, and safe to be sent again."""

import base64
from datetime import UTC, datetime

import pytest

from integrations_app.errors import (
    BadTarget,
    InvalidSettings,
    Permanent,
    RateLimited,
    SignatureInvalid,
    Transient,
)
from integrations_app.providers.base import Content, provider_of
from integrations_app.providers.signatures import verified
from integrations_app.types import EndpointType
from tests.integrations.providers.message_accounts import (
    account_for,
    place,
    send,
    whole_chain,
)

SECRET = "whsec_" + base64.b64encode(b"canary-webhook-0123456789-0123456789").decode()
ACCOUNT = account_for("webhook", {}, {"signing_secret": SECRET})


@pytest.fixture
def receiver(settings, faulty_server):
    settings.ONE_HTTP_ALLOWED_HOSTS = [faulty_server.server.address]
    return place(EndpointType.WEBHOOK, f"{faulty_server.url}/in?key=canary-webhook-path")


@pytest.mark.parametrize("secret", ["", "canary-short", "whsec_short", "whsec_***"])
def test_a_secret_that_is_none_is_refused(secret):
    with pytest.raises(InvalidSettings) as raised:
        account_for("webhook", {}, {"signing_secret": secret})
    assert "canary" not in whole_chain(raised.value)


async def test_receivers_can_check_who_sent_it_and_know_it_again(faulty_server, receiver):
    faulty_server.answers_with("", status=204)
    content = Content(text="Paid", data={"type": "order.paid", "order": 7})
    for _ in range(2):
        assert (await send("webhook", ACCOUNT, receiver, content, key="k-1")).message_id == "k-1"
    now = datetime.now(UTC)
    for number in range(2):
        headers, body = faulty_server.headers(number), faulty_server.server.requests[number][3]
        assert verified("standard", [SECRET], headers, body, now).external_id == "k-1"
        with pytest.raises(SignatureInvalid):
            verified("standard", [SECRET], headers, body + b" ", now)
    sent = faulty_server.json()
    assert (sent["type"], sent["data"]) == ("order.paid", {"order": 7, "text": "Paid"})
    assert provider_of("webhook").idempotent


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (410, BadTarget),
        (401, Permanent),
        (404, Permanent),
        (302, Permanent),
        (500, Transient),
        (503, Transient),
        (408, Transient),
        (429, RateLimited),
    ],
)
async def test_what_the_receiver_says_is_understood(faulty_server, receiver, status, error):
    where = {"Location": "http://127.0.0.1:22/", "Retry-After": "5"}
    faulty_server.answers_with("canary-said", status=status, headers=where)
    with pytest.raises(error) as raised:
        await send("webhook", ACCOUNT, receiver)
    assert "canary" not in whole_chain(raised.value)
    assert faulty_server.asked == 1


async def test_silence_may_be_tried_again(faulty_server, receiver):
    faulty_server.resets()
    with pytest.raises(Transient):
        await send("webhook", ACCOUNT, receiver)


async def test_an_address_inside_is_refused(faulty_server):
    inside = place(EndpointType.WEBHOOK, faulty_server.url)
    with pytest.raises(Permanent):
        await send("webhook", ACCOUNT, inside)
    assert faulty_server.asked == 0
