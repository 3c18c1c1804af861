"""Slack: against the described interface of its own, and against a server that goes wrong."""

import hashlib
import hmac
from datetime import timedelta

import pytest

from integrations_app.errors import (
    AddressRefused,
    AuthFailed,
    BadTarget,
    InvalidSettings,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    SignatureInvalid,
    Transient,
)
from integrations_app.providers.base import Content, Target, provider_of
from integrations_app.types import EndpointType
from tests.integrations.providers.message_accounts import (
    NOW,
    account_for,
    request,
    send,
    whole_chain,
)

TOKEN = "xoxb-canary-slack-000000000000"
CHANNEL = Target(type=EndpointType.SLACK_CHANNEL, address="C0123456789")


def bot(**credentials):
    return account_for("slack", {}, {"bot_token": TOKEN, **credentials})


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"bot_token": "xoxp-canary-1"},
        {"bot_token": "xoxb-canary\r\nX: y"},
        {"client_id": "1.2"},
        {"client_secret": "canary-secret"},
        {"bot_token": TOKEN, "password": "canary-x"},
    ],
)
def test_a_form_that_cannot_work_is_refused_without_repeating_it(credentials):
    with pytest.raises(InvalidSettings) as raised:
        account_for("slack", {}, credentials)
    assert "canary" not in whole_chain(raised.value)


async def test_the_described_interface_takes_it_and_gives_an_id(settings, prism_slack):
    settings.ONE_PROVIDER_URLS = {"slack": f"{prism_slack}/api"}
    accepted = await send("slack", bot(), CHANNEL, Content(text="Hello", thread="1503435956.0002"))
    assert accepted.message_id == "1503435956.000247"
    found = await provider_of("slack").test_connection(bot())
    assert found == "Signed in to Subarachnoid Workspace as grace."


async def test_what_is_sent(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"slack": faulty_server.url}
    settings.HTTPS_PROXY = "http://127.0.0.1:9"
    faulty_server.answers_with({"ok": True, "ts": "1.2"})
    assert (await send("slack", bot(), CHANNEL)).message_id == "1.2"
    sent = faulty_server.json()
    assert sent["channel"] == "C0123456789"
    # Nobody is called, and no link is dressed up.
    assert sent["text"] == "Hello\nGood &lt;!channel&gt; &amp; good day.\nhttps://example.org/1"
    assert sent["unfurl_links"] is False
    assert faulty_server.headers()["authorization"] == f"Bearer {TOKEN}"


async def test_a_linked_account_comes_before_the_bot(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"slack": faulty_server.url}
    faulty_server.answers_with({"ok": True, "ts": "1.2"})
    account = account_for("slack", {}, {"bot_token": TOKEN}, {"access_token": "xoxp-canary-own"})
    await send("slack", account, CHANNEL)
    assert faulty_server.headers()["authorization"] == "Bearer xoxp-canary-own"


async def test_without_any_token_nothing_is_asked(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"slack": faulty_server.url}
    account = account_for("slack", {}, {"client_id": "1.2", "client_secret": "canary-secret"})
    with pytest.raises(AuthFailed):
        await send("slack", account, CHANNEL)
    assert faulty_server.asked == 0


@pytest.mark.parametrize(
    ("status", "word", "error"),
    [
        (200, "invalid_auth", AuthFailed),
        (200, "token_revoked", AuthFailed),
        (200, "account_inactive", AuthFailed),
        (200, "channel_not_found", BadTarget),
        (200, "not_in_channel", Permanent),
        (200, "is_archived", BadTarget),
        (200, "msg_too_long", Permanent),
        (200, "internal_error", OutcomeUnknown),
        (200, "<b>canary-said</b>", OutcomeUnknown),
        (503, "", Transient),
        (500, "", OutcomeUnknown),
        (302, "", Permanent),
    ],
)
async def test_what_slack_says_is_understood(settings, faulty_server, status, word, error):
    settings.ONE_PROVIDER_URLS = {"slack": faulty_server.url}
    faulty_server.answers_with({"ok": False, "error": word, "note": "canary-note"}, status=status)
    with pytest.raises(error) as raised:
        await send("slack", bot(), CHANNEL)
    assert "canary" not in whole_chain(raised.value)
    assert faulty_server.asked == 1


async def test_slack_asks_to_wait(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"slack": faulty_server.url}
    faulty_server.rate_limits(7, {"ok": False, "error": "ratelimited"})
    with pytest.raises(RateLimited) as raised:
        await send("slack", bot(), CHANNEL)
    assert raised.value.retry_after == 7
    assert faulty_server.asked == 1


async def test_silence_after_sending_is_unknown_and_before_it_is_not(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"slack": faulty_server.url}
    faulty_server.resets()
    faulty_server.drips()
    with pytest.raises(OutcomeUnknown):
        await send("slack", bot(), CHANNEL)
    with pytest.raises(OutcomeUnknown):
        await send("slack", bot(), CHANNEL, deadline=0.3)
    settings.ONE_PROVIDER_URLS = {"slack": "http://127.0.0.1:9"}
    with pytest.raises(Transient):
        await send("slack", bot(), CHANNEL)


async def test_a_redirect_inside_is_not_followed(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"slack": faulty_server.url}
    faulty_server.redirects("http://127.0.0.1:22/", status=307)
    with pytest.raises((Permanent, AddressRefused, OutcomeUnknown)):
        await send("slack", bot(), CHANNEL)


def signed(secret, body, moment):
    stamp = str(int(moment.timestamp()))
    made = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={made}"}


def test_events_are_taken_when_slack_signed_them_now():
    secret, body = "canary-signing", b'{"type":"event"}'
    slack, account = provider_of("slack"), bot(signing_secret=secret)
    slack.verify_webhook(account, request(body, headers=signed(secret, body, NOW)))
    for headers, given in (
        (signed("canary-other", body, NOW), body),
        (signed(secret, body, NOW), body + b" "),
        (signed(secret, body, NOW - timedelta(minutes=6)), body),
        ({}, body),
        ({"x-slack-request-timestamp": "soon", "x-slack-signature": "v0=é"}, body),
    ):
        with pytest.raises(SignatureInvalid):
            slack.verify_webhook(account, request(given, headers=headers))
    with pytest.raises(SignatureInvalid):
        slack.verify_webhook(bot(), request(body, headers=signed("", body, NOW)))
