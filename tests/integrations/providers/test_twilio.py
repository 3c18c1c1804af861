"""Twilio's SMS and WhatsApp: against the described interface, against faults, and its webhooks."""

import base64
import hashlib
import hmac

import pytest

from integrations_app.errors import (
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
from integrations_app.types import DeliveryStatus, EndpointType, Reason
from one_project.common.errors import InvalidInput
from tests.integrations.providers.message_accounts import (
    account_for,
    request,
    send,
    whole_chain,
)

SID = "AC" + "0" * 32
TOKEN = "canary-twilio-token-0001"
PHONE = Target(type=EndpointType.PHONE, address="+491701234567")
WHATSAPP = Target(type=EndpointType.WHATSAPP, address="+491701234567")


def sms(**settings):
    given = {"account_sid": SID, "countries": "+49 +43", "sender": "+4930123456", **settings}
    return account_for("twilio_sms", given, {"auth_token": TOKEN})


def whatsapp(**settings):
    given = {"account_sid": SID, "countries": "*", "sender": "+4930123456", **settings}
    return account_for("twilio_whatsapp", given, {"auth_token": TOKEN})


@pytest.mark.parametrize(
    "settings",
    [
        {"account_sid": "../Accounts"},
        {"countries": ""},
        {"countries": "Germany"},
        {"sender": "0170 1234567"},
        {"sender": "A name that is too long"},
        {"colour": "red"},
    ],
)
def test_a_form_that_cannot_work_is_refused(settings):
    with pytest.raises(InvalidSettings):
        sms(**settings)


def test_numbers_are_written_in_many_ways():
    assert sms(sender="+49 (30) 123-456").settings.sender == "+4930123456"
    assert sms(sender="Example").settings.sender == "Example"


async def test_the_described_interface_takes_it_and_gives_an_id(settings, prism_twilio):
    settings.ONE_PROVIDER_URLS = {"twilio": prism_twilio}
    assert (await send("twilio_sms", sms(), PHONE)).message_id
    assert (await send("twilio_whatsapp", whatsapp(), WHATSAPP)).message_id
    assert "Twilio knows the account" in await provider_of("twilio_sms").test_connection(sms())


async def test_what_is_sent(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"twilio": faulty_server.url}
    settings.ONE_URL = "https://one.example"
    faulty_server.answers_with({"sid": "SM1"}, status=201)
    assert (await send("twilio_sms", sms(), PHONE)).message_id == "SM1"
    assert faulty_server.path() == f"/2010-04-01/Accounts/{SID}/Messages.json"
    form = faulty_server.form()
    assert form["To"] == PHONE.address
    assert form["From"] == "+4930123456"
    assert form["Body"] == "Good <!channel> & good day.\nhttps://example.org/1"
    pair = base64.b64decode(faulty_server.headers()["authorization"].removeprefix("Basic "))
    assert pair.decode() == f"{SID}:{TOKEN}"

    service = "MG" + "1" * 32
    await send("twilio_sms", sms(sender=service), PHONE)
    assert faulty_server.form()["MessagingServiceSid"] == service
    template = "HX" + "2" * 32
    await send("twilio_whatsapp", whatsapp(template_sid=template), WHATSAPP, Content(text="a\nb"))
    form = faulty_server.form()
    assert (form["To"], form["From"]) == ("whatsapp:+491701234567", "whatsapp:+4930123456")
    assert (form["ContentSid"], form["ContentVariables"]) == (template, '{"1": "a b"}')
    assert "Body" not in form


async def test_numbers_and_countries_are_checked_before_anything_is_sent(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"twilio": faulty_server.url}
    for address, error in (("+35312345678", Permanent), ("0170", BadTarget), ("+49", BadTarget)):
        with pytest.raises(error):
            await send("twilio_sms", sms(), Target(type=EndpointType.PHONE, address=address))
    assert faulty_server.asked == 0


@pytest.mark.parametrize(
    ("status", "code", "error", "shown"),
    [
        (400, 21211, BadTarget, "21211"),
        (400, 21614, BadTarget, "21614"),
        (400, 21610, BadTarget, "unsubscribed"),
        (401, 20003, AuthFailed, "20003"),
        (403, 20005, AuthFailed, "20005"),
        (429, 20429, RateLimited, "20429"),
        (400, 21408, Permanent, "21408"),
        (400, 63016, Permanent, "63016"),
        (400, 63024, BadTarget, "63024"),
        (400, 99999, Permanent, "99999"),
        (503, 20503, Transient, "20503"),
        (500, 20500, OutcomeUnknown, "20500"),
    ],
)
async def test_what_twilio_says_is_understood(settings, faulty_server, status, code, error, shown):
    settings.ONE_PROVIDER_URLS = {"twilio": faulty_server.url}
    said = {"code": code, "message": "canary-said", "status": status}
    faulty_server.answers_with(said, status=status)
    with pytest.raises(error) as raised:
        await send("twilio_sms", sms(), PHONE)
    assert raised.value.code == shown
    assert raised.value.http_status == status
    assert "canary" not in whole_chain(raised.value)


async def test_silence_and_waiting(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"twilio": faulty_server.url}
    faulty_server.rate_limits(9)
    faulty_server.resets()
    faulty_server.drips()
    with pytest.raises(RateLimited) as raised:
        await send("twilio_sms", sms(), PHONE)
    assert raised.value.retry_after == 9
    with pytest.raises(OutcomeUnknown):
        await send("twilio_sms", sms(), PHONE)
    with pytest.raises(OutcomeUnknown):
        await send("twilio_sms", sms(), PHONE, deadline=0.3)
    settings.ONE_PROVIDER_URLS = {"twilio": "http://127.0.0.1:9"}
    with pytest.raises(Transient):
        await send("twilio_sms", sms(), PHONE)


def told(status, *, secret=TOKEN, changed=None, **more):
    form = {"MessageSid": "SM1", "MessageStatus": status, "AccountSid": SID, **more}
    url = "https://one.example/hooks/providers/1/"
    text = url + "".join(key + form[key] for key in sorted(form))
    made = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest())
    headers = {"x-twilio-signature": made.decode()}
    return request(url=url, form={**form, **(changed or {})}, headers=headers)


def test_only_twilios_own_webhooks_are_taken():
    twilio = provider_of("twilio_sms")
    twilio.verify_webhook(sms(), told("delivered"))
    for other in (
        told("delivered", secret="canary-other"),
        told("failed", changed={"MessageStatus": "delivered"}),
        told("delivered", AccountSid="AC" + "9" * 32),
        request(form={"MessageSid": "SM1"}),
        request(form={}, headers={"x-twilio-signature": "é"}),
    ):
        with pytest.raises(SignatureInvalid):
            twilio.verify_webhook(sms(), other)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("sent", "", (DeliveryStatus.ACCEPTED, Reason.SENT)),
        ("delivered", "", (DeliveryStatus.DELIVERED, Reason.DELIVERED)),
        ("read", "", (DeliveryStatus.DELIVERED, Reason.OPENED)),
        ("undelivered", "30005", (DeliveryStatus.BOUNCED, Reason.BOUNCED)),
        ("undelivered", "30008", (DeliveryStatus.FAILED, Reason.PROVIDER_REFUSED)),
        ("failed", "21610", (DeliveryStatus.FAILED, Reason.UNSUBSCRIBED)),
    ],
)
def test_what_became_of_a_message(status, code, expected):
    (event,) = provider_of("twilio_whatsapp").parse_status(whatsapp(), told(status, ErrorCode=code))
    assert (event.status, event.reason) == expected
    assert (event.message_id, event.external_id) == ("SM1", f"SM1:{status}")


def test_what_is_no_status_is_said_so():
    twilio = provider_of("twilio_sms")
    assert twilio.parse_status(sms(), told("receiving")) == []
    with pytest.raises(InvalidInput):
        twilio.parse_status(sms(), request(form={"Body": "Hello"}))
