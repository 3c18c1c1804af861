"""Smaller services through Apprise: only typed fields, only listed services, only public hosts."""

import json

import pytest

from integrations_app.errors import (
    AddressRefused,
    AuthFailed,
    InvalidSettings,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Transient,
)
from integrations_app.providers.base import Content, Target, provider_of
from integrations_app.types import DeliveryStatus, EndpointType
from tests.integrations.providers.message_accounts import account_for, send, whole_chain

NOWHERE = Target(type=EndpointType.APPRISE, address="")
TOKEN = "canaryapprise00000000000000000000"
PUSH, CHAT = "service_push", "service_chat"


def made(slug, token=TOKEN, **settings):
    return account_for(slug, settings, {"token": token})


@pytest.fixture
def allowed(settings, faulty_server):
    settings.ONE_HTTP_ALLOWED_HOSTS = [faulty_server.server.address]
    return faulty_server


@pytest.mark.parametrize(
    "values",
    [
        {"service": "json", "server": "https://example.org"},
        {"service": "ntfy://example.org"},
        {"service": "ntfy", "to": "one,two"},
        {"service": "ntfy", "to": "a?redirect=yes"},
        {"service": "ntfy", "to": "a", "server": "https://example.org/?verify=no"},
        {"service": "ntfy", "to": "a", "server": "https://u:p@example.org"},
        {"service": "ntfy", "to": "a", "server": "file:///etc/passwd"},
        {"service": "ntfy", "to": "a", "retry": "9"},
        {"service": "ntfy", "to": "a", "attach": "/etc/hostname"},
    ],
)
def test_ways_around_the_fence_are_refused_by_the_form(values):
    with pytest.raises(InvalidSettings):
        made(PUSH, **values)


@pytest.mark.parametrize(
    ("slug", "values", "error"),
    [
        (PUSH, {"service": "gotify"}, InvalidSettings),
        (PUSH, {"service": "ntfy"}, InvalidSettings),
        (PUSH, {"service": "pushover", "to": "u", "server": "https://8.8.8.8"}, InvalidSettings),
        (CHAT, {"service": "zulip", "to": "general", "user": "bot"}, InvalidSettings),
        (PUSH, {"service": "gotify", "server": "https://127.0.0.1"}, AddressRefused),
        (CHAT, {"service": "mattermost", "server": "http://169.254.169.254"}, AddressRefused),
    ],
)
def test_what_cannot_work_is_refused_at_saving(slug, values, error):
    with pytest.raises(error):
        provider_of(slug).check_settings(made(slug, **values).settings)


@pytest.mark.parametrize(
    ("slug", "service", "to", "path", "part"),
    [
        (PUSH, "ntfy", "alerts", "/", '"topic": "alerts"'),
        (PUSH, "gotify", "", f"/message?token={TOKEN}", "Hello"),
        (CHAT, "mattermost", "#town", f"/hooks/{TOKEN}", "Hello"),
        (CHAT, "rocketchat", "#general", f"/hooks/{TOKEN}", "Hello"),
    ],
)
async def test_what_services_get(allowed, slug, service, to, path, part):
    allowed.answers_with({"success": True, "id": 1})
    account = made(slug, service=service, server=allowed.url, to=to)
    accepted = await send(slug, account, NOWHERE)
    assert (accepted.message_id, accepted.status) == ("", DeliveryStatus.ACCEPTED)
    assert allowed.asked == 1
    body = allowed.server.requests[0][3].decode()
    assert part in body
    assert TOKEN in json.dumps([allowed.path(), allowed.headers(), body])
    assert allowed.path().split("?")[0] == path.split("?")[0]


async def test_a_message_may_name_another_receiver(allowed):
    allowed.answers_with({"id": 1})
    account = made(PUSH, service="ntfy", server=allowed.url, to="alerts")
    await send(PUSH, account, Target(type=EndpointType.APPRISE, address="news"), Content(text="x"))
    assert allowed.json()["topic"] == "news"


async def test_matrix_writes_into_a_room(allowed):
    for answer in ({"user_id": "@bot:example.org"}, {"room_id": "!r:example.org"}):
        allowed.answers_with(answer)
    allowed.answers_with({"event_id": "$1", "room_id": "!r:example.org"})
    account = made(CHAT, service="matrix", server=allowed.url, to="!r:example.org")
    await send(CHAT, account, NOWHERE)
    assert any("send/m.room.message" in one[1] for one in allowed.server.requests)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AuthFailed),
        (400, Permanent),
        (302, Permanent),
        (503, Transient),
        (500, OutcomeUnknown),
    ],
)
async def test_what_services_say_is_understood(allowed, caplog, status, error):
    allowed.answers_with("canary-said", status=status, headers={"Location": "http://127.0.0.1:22/"})
    account = made(PUSH, service="gotify", server=allowed.url)
    with pytest.raises(error) as raised:
        await send(PUSH, account, NOWHERE)
    assert "canary" not in whole_chain(raised.value)
    assert allowed.asked == 1
    ours = [one for one in caplog.records if not one.name.startswith("aiohttp")]
    assert "canary" not in "".join(one.getMessage() for one in ours)


async def test_waiting_silence_and_nobody_there(settings, allowed):
    account = made(PUSH, service="gotify", server=allowed.url)
    allowed.rate_limits(4)
    allowed.resets()
    allowed.drips()
    with pytest.raises(RateLimited) as raised:
        await send(PUSH, account, NOWHERE)
    assert raised.value.retry_after == 4
    with pytest.raises(OutcomeUnknown):
        await send(PUSH, account, NOWHERE)
    with pytest.raises(OutcomeUnknown):
        await send(PUSH, account, NOWHERE, deadline=0.5)
    settings.ONE_HTTP_ALLOWED_HOSTS = ["127.0.0.1:9"]
    with pytest.raises(Transient):
        await send(PUSH, made(PUSH, service="gotify", server="http://127.0.0.1:9"), NOWHERE)


async def test_a_host_inside_is_refused_at_sending(faulty_server):
    with pytest.raises(Permanent):
        await send(PUSH, made(PUSH, service="gotify", server=faulty_server.url), NOWHERE)
    assert faulty_server.asked == 0
