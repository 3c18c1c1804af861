"""Webhooks of mail providers: whose they are, when, and what they tell."""

import base64
import contextlib
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from integrations_app.errors import SignatureInvalid
from integrations_app.providers.base import Request
from integrations_app.providers.registry import provider_of
from integrations_app.types import DeliveryStatus, Reason
from one_project.common.errors import InvalidInput
from tests.integrations.providers.mail_accounts import account_for

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
SECRET = "canary-webhook-secret-0123456789ab"
URL = "https://one.example.org/hooks/providers/1/"
SVIX = "whsec_" + base64.b64encode(SECRET.encode()).decode()
CURVE = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def public(key: Any) -> str:
    made = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(made).decode()


def hook(body: bytes, headers: dict[str, str], at: datetime = NOW, url: str = URL) -> Request:
    return Request(method="POST", url=url, headers=headers, body=body, received_at=at)


def hex_of(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def from_sendgrid(event: Any, stamp: str = STAMP) -> Request:
    body = json.dumps([event]).encode()
    made = CURVE.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return hook(
        body,
        {
            "x-twilio-email-event-webhook-timestamp": stamp,
            "x-twilio-email-event-webhook-signature": base64.b64encode(made).decode(),
        },
    )


def from_mailgun(event: Any, stamp: str = STAMP) -> Request:
    made = hex_of(f"{stamp}token-1".encode())
    signed = {"timestamp": stamp, "token": "token-1", "signature": made}
    return hook(json.dumps({"signature": signed, "event-data": event}).encode(), {})


def from_resend(event: Any, stamp: str = STAMP) -> Request:
    body = json.dumps(event).encode()
    made = hmac.new(SECRET.encode(), f"msg_1.{stamp}.".encode() + body, hashlib.sha256).digest()
    return hook(
        body,
        {
            "svix-id": "msg_1",
            "svix-timestamp": stamp,
            "svix-signature": f"v1,AAAA v1,{base64.b64encode(made).decode()}",
        },
    )


def with_secret(event: Any) -> Request:
    basic = base64.b64encode(f"one:{SECRET}".encode()).decode()
    return hook(json.dumps(event).encode(), {"authorization": f"Basic {basic}"})


def with_token(event: Any) -> Request:
    return hook(json.dumps(event).encode(), {"authorization": f"Bearer {SECRET}"})


def from_mailersend(event: Any) -> Request:
    body = json.dumps({"type": "activity", "data": event}).encode()
    return hook(body, {"signature": hex_of(body)})


def from_mailtrap(event: Any) -> Request:
    body = json.dumps({"events": [event]}).encode()
    return hook(body, {"mailtrap-signature": hex_of(body)})


def from_mandrill(event: Any) -> Request:
    form = {"mandrill_events": json.dumps([event])}
    signed = URL + "".join(name + form[name] for name in sorted(form))
    made = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha1).digest()
    return hook(
        urlencode(form).encode(),
        {
            "content-type": "application/x-www-form-urlencoded",
            "x-mandrill-signature": base64.b64encode(made).decode(),
        },
    )


def from_postal(event: Any) -> Request:
    body = json.dumps(event).encode()
    made = RSA.sign(body, padding.PKCS1v15(), hashes.SHA1())
    return hook(body, {"x-postal-signature": base64.b64encode(made).decode()})


def from_unisender(event: Any) -> Request:
    told = {"auth": SECRET, "events_by_user": [{"events": [
        {"event_name": "transactional_email_status", "event_data": event}]}]}  # fmt: skip
    body = json.dumps(told).encode()
    made = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return hook(body.replace(SECRET.encode(), made.encode()), {})


ACCOUNTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "sendgrid": ({}, {"api_key": "k", "webhook_key": public(CURVE)}),
    "mailgun": ({"domain": "mg.example.org"}, {"api_key": "k", "webhook_key": SECRET}),
    "resend": ({}, {"api_key": "k", "webhook_key": SVIX}),
    "postmark": ({}, {"server_token": "k", "webhook_secret": SECRET}),
    "brevo": ({}, {"api_key": "k", "webhook_secret": SECRET}),
    "mailjet": ({}, {"api_key": "k", "secret_key": "k", "webhook_secret": SECRET}),
    "sparkpost": ({}, {"api_key": "k", "webhook_secret": SECRET}),
    "mailersend": ({}, {"api_token": "k", "webhook_key": SECRET}),
    "mailtrap": ({}, {"api_token": "k", "webhook_key": SECRET}),
    "mandrill": ({}, {"api_key": "k", "webhook_key": SECRET}),
    "postal": ({"url": "https://postal.example.org"}, {"api_key": "k", "webhook_key": public(RSA)}),
    "unisender_go": ({}, {"api_key": SECRET}),
}
D, B, F, N = DeliveryStatus.DELIVERED, DeliveryStatus.BOUNCED, DeliveryStatus.FAILED, None
READER = "reader@example.org"
MESSAGE = {"headers": {"message-id": "m-1"}}

# Provider, how it signs, what it tells, id of the message, status, reason.
TOLD: list[tuple[str, Any, Any, str, Any, Reason]] = [
    ("sendgrid", from_sendgrid, {"event": "delivered", "email": READER, "anymail_id": "m-1",
     "sg_event_id": "e", "timestamp": 1}, "m-1", D, Reason.DELIVERED),
    ("sendgrid", from_sendgrid, {"event": "bounce", "type": "bounce", "anymail_id": "m-1"},
     "m-1", B, Reason.BOUNCED),
    ("sendgrid", from_sendgrid, {"event": "bounce", "type": "blocked", "anymail_id": "m-1"},
     "m-1", F, Reason.PROVIDER_REFUSED),
    ("sendgrid", from_sendgrid, {"event": "dropped", "reason": "Unsubscribed Address",
     "anymail_id": "m-1"}, "m-1", F, Reason.UNSUBSCRIBED),
    ("sendgrid", from_sendgrid, {"event": "spamreport", "anymail_id": "m-1"}, "m-1", N,
     Reason.COMPLAINED),
    ("mailgun", from_mailgun, {"event": "delivered", "message": MESSAGE, "recipient": READER},
     "<m-1>", D, Reason.DELIVERED),
    ("mailgun", from_mailgun, {"event": "failed", "severity": "permanent", "reason": "bounce",
     "message": MESSAGE, "recipient": READER}, "<m-1>", B, Reason.BOUNCED),
    ("mailgun", from_mailgun, {"event": "failed", "severity": "temporary", "message": MESSAGE},
     "<m-1>", N, Reason.RETRY),
    ("mailgun", from_mailgun, {"event": "unsubscribed", "message": MESSAGE}, "<m-1>", N,
     Reason.UNSUBSCRIBED),
    ("resend", from_resend, {"type": "email.delivered", "data": {"email_id": "m-1"}}, "m-1", D,
     Reason.DELIVERED),
    ("resend", from_resend, {"type": "email.bounced", "data": {"email_id": "m-1", "to": [READER],
     "bounce": {"message": "sent a hard bounce message", "type": "Permanent"}}}, "m-1", B,
     Reason.BOUNCED),
    ("resend", from_resend, {"type": "email.bounced", "data": {"email_id": "m-1",
     "bounce": {"message": "inbox full", "type": "Transient"}}}, "m-1", F, Reason.PROVIDER_REFUSED),
    ("postmark", with_secret, {"RecordType": "Delivery", "MessageID": "m-1"}, "m-1", D,
     Reason.DELIVERED),
    ("postmark", with_secret, {"RecordType": "Bounce", "Type": "HardBounce", "MessageID": "m-1",
     "ID": 4}, "m-1", B, Reason.BOUNCED),
    ("postmark", with_secret, {"RecordType": "Bounce", "Type": "SoftBounce", "MessageID": "m-1"},
     "m-1", F, Reason.PROVIDER_REFUSED),
    ("postmark", with_secret, {"RecordType": "Open", "MessageID": "m-1"}, "m-1", N, Reason.OPENED),
    ("brevo", with_token, {"event": "hard_bounce", "message-id": "m-1", "email": READER}, "m-1", B,
     Reason.BOUNCED),
    ("brevo", with_token, {"event": "soft_bounce", "message-id": "m-1"}, "m-1", F,
     Reason.PROVIDER_REFUSED),
    ("brevo", with_secret, {"event": "spam", "message-id": "m-1"}, "m-1", N, Reason.COMPLAINED),
    ("mailjet", with_secret, [{"event": "bounce", "MessageID": 7, "hard_bounce": True,
     "error": "user unknown"}], "7", B, Reason.BOUNCED),
    ("mailjet", with_secret, {"event": "sent", "MessageID": 7}, "7", D, Reason.DELIVERED),
    ("sparkpost", with_secret, [{"msys": {"message_event": {"type": "bounce", "bounce_class": "10",
     "transmission_id": "m-1", "event_id": "e"}}}], "m-1", B, Reason.BOUNCED),
    ("sparkpost", with_secret, [{"msys": {"message_event": {"type": "bounce", "bounce_class": "22",
     "transmission_id": "m-1"}}}], "m-1", F, Reason.PROVIDER_REFUSED),
    ("mailersend", from_mailersend, {"type": "hard_bounced", "id": "e", "email": {
     "message": {"id": "m-1"}}, "morph": {"object": "recipient_bounce"}}, "m-1", B, Reason.BOUNCED),
    ("mailersend", from_mailersend, {"type": "soft_bounced", "email": {"message": {"id": "m-1"}}},
     "m-1", F, Reason.PROVIDER_REFUSED),
    ("mailtrap", from_mailtrap, {"event": "delivery", "message_id": "m-1", "event_id": "e",
     "email": READER, "timestamp": 1}, "m-1", D, Reason.DELIVERED),
    ("mandrill", from_mandrill, {"event": "hard_bounce", "_id": "m-1", "ts": 1,
     "msg": {"_id": "m-1", "email": READER}}, "m-1", B, Reason.BOUNCED),
    ("mandrill", from_mandrill, {"event": "unsub", "_id": "m-1", "ts": 1, "msg": {"_id": "m-1"}},
     "m-1", N, Reason.UNSUBSCRIBED),
    ("postal", from_postal, {"uuid": "e", "timestamp": 1, "payload": {"status": "HardFail",
     "message": {"id": 9, "to": READER}}}, "9", B, Reason.BOUNCED),
    ("postal", from_postal, {"uuid": "e", "payload": {"status": "Sent", "message": {"id": 9}}}, "9",
     D, Reason.DELIVERED),
    ("unisender_go", from_unisender, {"status": "hard_bounced", "email": READER, "job_id": "m-1",
     "event_time": "2026-11-21 12:00:00"}, "m-1", B, Reason.BOUNCED),
]  # fmt: skip


def account_of(slug):
    return account_for(slug, *ACCOUNTS[slug])


@pytest.mark.parametrize(("slug", "signed", "told", "message_id", "status", "reason"), TOLD)
def test_what_became_of_a_letter(slug, signed, told, message_id, status, reason):
    provider, account, request = provider_of(slug), account_of(slug), signed(told)
    provider.verify_webhook(account, request)
    [event] = provider.parse_status(account, request)
    assert (event.message_id, event.status, event.reason) == (message_id, status, reason)
    # A copy is known by its id; no address is kept.
    assert [event.external_id] == [
        one.external_id for one in provider.parse_status(account, request)
    ]
    assert 0 < len(event.external_id) <= 200
    assert READER not in repr(event)


ONE_OF_EACH = list({row[0]: row for row in TOLD}.values())


@pytest.mark.parametrize(("slug", "signed", "told"), [row[:3] for row in ONE_OF_EACH])
def test_another_body_or_another_secret_is_refused(slug, signed, told):
    provider, account, good = provider_of(slug), account_of(slug), signed(told)
    provider.verify_webhook(account, good)
    bare = hook(good.body, {})
    changed = hook(good.body.replace(b"m-1", b"m-2").replace(b"9", b"8"), dict(good.headers))
    kept = ("stamp", "svix-id", "content-type")
    others = {k: v if k.endswith(kept) else "AAAA" for k, v in good.headers.items()}
    wrong = hook(good.body, others)
    signs_body = signed not in (with_secret, with_token, from_mailgun)
    refused = [wrong] if good.headers else []
    refused += [changed] if signs_body else []
    refused += [bare] if good.headers else []
    # Mailgun signs a token, not the body: another token is another event.
    refused += [hook(good.body.replace(b"token-1", b"token-2"), {})] if slug == "mailgun" else []
    assert refused
    for one in refused:
        with pytest.raises(SignatureInvalid) as raised:
            provider.verify_webhook(account, one)
        assert SECRET not in str(raised.value)


@pytest.mark.parametrize("slug", sorted(set(ACCOUNTS) - {"unisender_go"}))
def test_without_a_secret_all_are_refused(slug):
    settings, credentials = ACCOUNTS[slug]
    kept = {k: v for k, v in credentials.items() if not k.startswith("webhook_")}
    account = account_for(slug, settings, kept)
    for row in TOLD:
        if row[0] == slug:
            with pytest.raises(SignatureInvalid):
                provider_of(slug).verify_webhook(account, row[1](row[2]))


@pytest.mark.parametrize("signed", [from_sendgrid, from_mailgun, from_resend])
@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24])
def test_an_old_one_is_refused(signed, minutes):
    slug = {from_sendgrid: "sendgrid", from_mailgun: "mailgun", from_resend: "resend"}[signed]
    stamp = str(int((NOW - timedelta(minutes=minutes)).timestamp()))
    provider, account = provider_of(slug), account_of(slug)
    with pytest.raises(SignatureInvalid):
        provider.verify_webhook(account, signed({"event": "delivered"}, stamp))
    for odd in ("nan", "", "x"):
        with pytest.raises(SignatureInvalid):
            provider.verify_webhook(account, signed({"event": "delivered"}, odd))


NONSENSE = (
    b"", b"{", b"[]", b"1", b"null", b'{"event": 1}', b"\xff", b"[" * 50_000, b'[{"msys": 1}]',
    b'{"signature": {"timestamp": "1", "token": "\\ud800", "signature": "\\ud800"}}',
    b'{"auth": "' + b"\\ud800" * 32 + b'"}',
)  # fmt: skip


@pytest.mark.parametrize("slug", sorted(ACCOUNTS))
def test_nonsense_is_bad_input_and_never_a_crash(slug):
    provider, account = provider_of(slug), account_of(slug)
    odd = {"authorization": "Basic !", "signature": "ü"}
    for body in NONSENSE:
        with pytest.raises(SignatureInvalid):
            provider.verify_webhook(account, hook(body, odd))
        with contextlib.suppress(InvalidInput):
            assert provider.parse_status(account, hook(body, {})) == []
