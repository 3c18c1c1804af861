"""Telegram: against its described interface, and against faults."""

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
from integrations_app.providers.base import Content, Target, provider_of
from integrations_app.types import EndpointType
from tests.integrations.providers.message_accounts import account_for, send, whole_chain

TOKEN = "123456789:canary-telegram-0123456789-0123456789"
CHAT = Target(type=EndpointType.TELEGRAM_CHAT, address="-1001234567890")
GROUP = Target(type=EndpointType.TELEGRAM_CHAT, address="@channel")


def bot(token=TOKEN):
    return account_for("telegram", {}, {"bot_token": token})


@pytest.mark.parametrize("token", ["", "canary", "1:a/../b", "123456789:short", TOKEN + "/x"])
def test_a_token_that_is_none_is_refused(token):
    with pytest.raises(InvalidSettings) as raised:
        bot(token)
    assert "canary" not in whole_chain(raised.value)


async def test_the_described_interface_takes_it_and_gives_an_id(settings, prism_telegram):
    settings.ONE_PROVIDER_URLS = {"telegram": prism_telegram}
    assert (await send("telegram", bot(), CHAT)).message_id
    assert (await send("telegram", bot(), GROUP, Content(text="x", thread="7"))).message_id
    assert "Telegram knows the bot" in await provider_of("telegram").test_connection(bot())


async def test_what_is_sent(settings, faulty_server):
    settings.ONE_PROVIDER_URLS = {"telegram": faulty_server.url}
    faulty_server.answers_with({"ok": True, "result": {"message_id": 42}})
    assert (await send("telegram", bot(), CHAT, Content(text="Hi", thread="7"))).message_id == "42"
    assert faulty_server.path() == f"/bot{TOKEN}/sendMessage"
    sent = faulty_server.json()
    assert (sent["chat_id"], sent["text"]) == (-1001234567890, "Hi")
    assert sent["reply_parameters"]["message_id"] == 7
    assert "parse_mode" not in sent
    await send("telegram", bot(), GROUP)
    assert faulty_server.json()["chat_id"] == "@channel"


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [
        (401, "Unauthorized", AuthFailed),
        (404, "Not Found", AuthFailed),
        (400, "Bad Request: chat not found", BadTarget),
        (403, "Forbidden: bot was blocked by the user", BadTarget),
        (400, "Bad Request: message text is empty", Permanent),
        (200, "canary-no", Permanent),
        (502, "Bad Gateway", OutcomeUnknown),
        (503, "Unavailable", Transient),
    ],
)
async def test_what_telegram_says_is_understood(settings, faulty_server, status, said, error):
    settings.ONE_PROVIDER_URLS = {"telegram": faulty_server.url}
    body = {"ok": False, "error_code": status, "description": said + " canary"}
    faulty_server.answers_with(body, status=status)
    with pytest.raises(error) as raised:
        await send("telegram", bot(), CHAT)
    assert "canary" not in whole_chain(raised.value)


async def test_silence_and_waiting_never_show_the_token(settings, faulty_server, caplog):
    settings.ONE_PROVIDER_URLS = {"telegram": faulty_server.url}
    faulty_server.answers_with({"ok": False, "parameters": {"retry_after": 11}}, status=429)
    faulty_server.resets()
    with pytest.raises(RateLimited) as raised:
        await send("telegram", bot(), CHAT)
    assert raised.value.retry_after == 11
    with pytest.raises(OutcomeUnknown) as silent:
        await send("telegram", bot(), CHAT)
    settings.ONE_PROVIDER_URLS = {"telegram": "http://127.0.0.1:9"}
    with pytest.raises(Transient) as unreached:
        await send("telegram", bot(), CHAT)
    for one in (raised, silent, unreached):
        assert TOKEN not in whole_chain(one.value)
    # (What the stand-in itself writes is not ours.)
    ours = [one for one in caplog.records if not one.name.startswith("aiohttp")]
    assert TOKEN not in "".join(one.getMessage() for one in ours)
