"""Push to browsers: through a service of push that decrypts as a browser would."""

import base64
import json
import os
import urllib.request

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from integrations_app.errors import (
    AddressRefused,
    AuthFailed,
    BadTarget,
    InvalidSettings,
    NotUsable,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Transient,
)
from integrations_app.models import Endpoint, Integration
from integrations_app.providers.base import Content, Target, provider_of
from integrations_app.providers.web_push.forms import checked_subscription, new_key, public_key
from integrations_app.providers.web_push.provider import MAX_BYTES, payload_of
from integrations_app.runtime.addressing import address_of
from integrations_app.services.browsers import add_browser, push_key
from integrations_app.types import EndpointType
from one_project.common.errors import NotFound
from tests.integrations.providers.message_accounts import HELLO, account_for, send, whole_chain


def push(**credentials):
    return account_for("web_push", {"contact": "push@example.org"}, credentials)


def key_of(account):
    return account.credentials.vapid_key.get_secret_value()


def subscription(endpoint):
    """As a browser would give it."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    keys = {"p256dh": raw, "auth": os.urandom(16)}
    encoded = {name: base64.urlsafe_b64encode(one).decode() for name, one in keys.items()}
    return {"endpoint": endpoint, "keys": encoded}


def browser(given):
    return Target(type=EndpointType.WEB_PUSH, address="push.example.org", secret=given)


def asked(url, body):
    """Of the stand-in itself."""
    headers = {"Content-Type": "application/json"}
    call = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(call, timeout=5) as response:
        text = response.read()
    return json.loads(text) if text.startswith(b"{") else {}


def test_a_key_is_made_where_none_is_given():
    first, second = push(), push(vapid_key="  ")
    assert key_of(first) != key_of(second)
    assert len(public_key(key_of(first))) == 87
    kept = new_key()
    assert key_of(push(vapid_key=kept)) == kept
    for wrong in ("canary-key", "AAAA", "é"):
        with pytest.raises(InvalidSettings) as raised:
            push(vapid_key=wrong)
        assert "canary" not in whole_chain(raised.value)


def test_what_browsers_give_is_looked_at():
    good = subscription("https://8.8.8.8/push/1")
    assert checked_subscription({**good, "expirationTime": None}) == good
    short = {**good["keys"], "auth": "AAAA"}
    for bad in ({}, {**good, "keys": {}}, {**good, "keys": short}, {**good, "more": 1}):
        with pytest.raises(InvalidSettings):
            checked_subscription(bad)
    with pytest.raises(AddressRefused):
        checked_subscription(subscription("https://127.0.0.1/push/1"))


async def test_what_arrives_at_a_browser(settings, push_service):
    settings.ONE_HTTP_ALLOWED_HOSTS = [push_service.replace("http://127.0.0.1", "localhost")]
    account = push()
    found = await provider_of("web_push").test_connection(account)
    options = {"userVisibleOnly": "true", "applicationServerKey": public_key(key_of(account))}
    assert options["applicationServerKey"] in found
    given = asked(f"{push_service}/subscribe", options)["data"]
    target = browser({"endpoint": given["endpoint"], "keys": given["keys"]})
    await send("web_push", account, target)
    mark = {"clientHash": given["clientHash"]}
    (arrived,) = asked(f"{push_service}/get-notifications", mark)["data"]["messages"]
    assert json.loads(arrived) == {"title": "Hello", "body": HELLO.text, "url": HELLO.url}

    # Another key than the browser has subscribed with.
    with pytest.raises(Permanent):
        await send("web_push", push(), target)
    asked(f"{push_service}/expire-subscription/{given['clientHash']}", {})
    with pytest.raises(BadTarget) as raised:
        await send("web_push", account, target)
    assert raised.value.code == "unsubscribed"


def test_what_is_too_long_becomes_shorter():
    for text in ("x" * 10_000, "€" * 10_000, "\n" * 10_000):
        packed = payload_of(Content(subject="Hello", text=text))
        assert len(packed) <= MAX_BYTES
        assert json.loads(packed)["body"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, BadTarget),
        (410, BadTarget),
        (401, AuthFailed),
        (413, Permanent),
        (429, RateLimited),
        (503, Transient),
        (500, OutcomeUnknown),
    ],
)
async def test_what_the_service_says_is_understood(settings, faulty_server, status, error):
    settings.ONE_HTTP_ALLOWED_HOSTS = [faulty_server.server.address]
    faulty_server.answers_with("canary-said", status=status)
    with pytest.raises(error) as raised:
        await send("web_push", push(), browser(subscription(f"{faulty_server.url}/canary-1")))
    assert "canary" not in whole_chain(raised.value)


async def test_the_id_and_the_headers(settings, faulty_server):
    settings.ONE_HTTP_ALLOWED_HOSTS = [faulty_server.server.address]
    faulty_server.answers_with(
        "", status=201, headers={"Location": "https://push.example.org/m/42"}
    )
    faulty_server.resets()
    target = browser(subscription(f"{faulty_server.url}/push/1"))
    assert (await send("web_push", push(), target)).message_id == "42"
    headers = faulty_server.headers()
    assert (headers["content-encoding"], headers["ttl"]) == ("aes128gcm", "86400")
    assert headers["authorization"].startswith("vapid t=")
    assert b"Hello" not in faulty_server.server.requests[0][3]
    with pytest.raises(OutcomeUnknown):
        await send("web_push", push(), target)


async def test_a_broken_subscription_is_about_the_browser():
    with pytest.raises(BadTarget):
        await send("web_push", push(), browser({"endpoint": "https://8.8.8.8/", "keys": {}}))


@pytest.fixture
def pushing(world):
    account = push()
    return Integration.objects.create(
        organisation=world.organisation,
        name="Push",
        provider="web_push",
        channel_type="push",
        settings={"contact": "push@example.org"},
        credentials={"vapid_key": key_of(account)},
        status="active",
    )


def test_a_browser_becomes_an_address_of_its_person_once(world, pushing):
    given = subscription("https://8.8.8.8/push/canary-1")
    first = add_browser(world.bob, pushing, given)
    Endpoint.objects.filter(pk=first.pk).update(status="bounced")
    again = add_browser(world.bob, pushing, given, label="Laptop")
    assert (again.pk, again.status, again.label) == (first.pk, "active", "Laptop")
    assert "canary" not in again.address
    found, target = address_of(world.bob, world.organisation.pk, provider_of("web_push"))
    assert found == again
    assert target.secret == given
    assert push_key(pushing) == public_key(pushing.credentials["vapid_key"])


def test_outsiders_and_other_integrations_take_no_browser(world, pushing):
    given = subscription("https://8.8.8.8/push/1")
    with pytest.raises(NotFound):
        add_browser(world.charlie, pushing, given)
    with pytest.raises(AddressRefused):
        add_browser(world.bob, pushing, subscription("https://127.0.0.1/1"))
    pushing.status = "inactive"
    with pytest.raises(NotUsable):
        add_browser(world.bob, pushing, given)
    assert not Endpoint.objects.exists()
