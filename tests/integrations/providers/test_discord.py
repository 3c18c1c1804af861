"""Discord: against the description of its webhooks, and against faults."""

import pytest

from integrations_app.errors import (
    AuthFailed,
    BadTarget,
    InvalidSettings,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Transient,
)
from integrations_app.types import EndpointType
from tests.integrations.providers.message_accounts import (
    account_for,
    place,
    send,
    whole_chain,
)

SECRET = "canary-discord-token-0123456789"
ROOM = place(EndpointType.DISCORD_WEBHOOK, f"https://discord.com/api/webhooks/1234567/{SECRET}")


def webhook(**settings):
    return account_for("discord", settings, {})


def test_a_name_that_discord_refuses_is_refused():
    for name in ("The Discord bot", "x" * 81, "a\nb"):
        with pytest.raises(InvalidSettings):
            webhook(username=name)


async def test_its_description_takes_what_is_sent(settings, prism_discord):
    settings.ONE_PROVIDER_URLS = {"discord": prism_discord}
    assert (await send("discord", webhook(username="ONE"), ROOM)).message_id


async def test_what_is_sent(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"discord": faulty_server.url}
    faulty_server.answers_with({"id": "42"})
    assert (await send("discord", webhook(), ROOM)).message_id == "42"
    assert faulty_server.path() == f"/api/v10/webhooks/1234567/{SECRET}?wait=true"
    assert faulty_server.json() == {
        "content": "Hello\nGood <!channel> & good day.\nhttps://example.org/1",
        "allowed_mentions": {"parse": []},
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://discord.example/api/webhooks/1234567/abcdefghijklmnopqrstuvw",
        "http://discord.com/api/webhooks/1234567/abcdefghijklmnopqrstuvw",
        "https://discord.com/api/webhooks/1234567/../../users/@me",
        "https://discord.com.example.org/api/webhooks/1234567/abcdefghijklmnopqrstuvw",
    ],
)
async def test_other_addresses_are_not_asked(settings, faulty_server, url):
    settings.ONE_PROVIDER_URLS = {"discord": faulty_server.url}
    with pytest.raises(BadTarget):
        await send("discord", webhook(), place(EndpointType.DISCORD_WEBHOOK, url))
    assert faulty_server.asked == 0


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, BadTarget), (401, BadTarget), (400, Permanent), (503, Transient), (500, OutcomeUnknown)],
)
async def test_what_discord_says_is_understood(settings, faulty_server, status, error):
    settings.ONE_PROVIDER_URLS = {"discord": faulty_server.url}
    faulty_server.answers_with({"code": 10015, "message": "canary-said"}, status=status)
    with pytest.raises(error) as raised:
        await send("discord", webhook(), ROOM)
    assert raised.value.code == "10015"
    assert "canary" not in whole_chain(raised.value)


async def test_silence_and_waiting(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"discord": faulty_server.url}
    faulty_server.rate_limits(3)
    faulty_server.resets()
    with pytest.raises(RateLimited) as raised:
        await send("discord", webhook(), ROOM)
    assert raised.value.retry_after == 3
    with pytest.raises(OutcomeUnknown) as silent:
        await send("discord", webhook(), ROOM)
    assert SECRET not in whole_chain(silent.value)
    settings.ONE_PROVIDER_URLS = {"discord": "http://127.0.0.1:9"}
    with pytest.raises(Transient) as unreached:
        await send("discord", webhook(), ROOM)
    assert SECRET not in whole_chain(unreached.value)


async def test_a_place_without_its_address_is_said_so():
    with pytest.raises((AuthFailed, BadTarget)):
        await send("discord", webhook(), place(EndpointType.DISCORD_WEBHOOK, ""))
