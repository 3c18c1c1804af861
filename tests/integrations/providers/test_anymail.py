"""Letters through the interfaces of mail providers: the same questions to all of them."""

import asyncio
import contextlib
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from integrations_app.errors import (
    AddressRefused,
    AuthFailed,
    BadTarget,
    InvalidSettings,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Transient,
)
from integrations_app.providers.base import Content
from integrations_app.providers.registry import provider_of, providers
from integrations_app.types import ChannelType
from tests.integrations.mail_server import certificate
from tests.integrations.providers.mail_accounts import account_for, sent, whole_chain
from tests.integrations.web_server import running_web_server

KEY = "canary-mail-key-1"


@dataclass
class Case:
    """A provider: its forms, and what it says when it takes a letter and when its key is tried."""

    credentials: dict[str, str]
    taken: Any
    message_id: str
    # Where the letter goes, and where the key is tried.
    path: str
    tried: str
    settings: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    found: Any = field(default_factory=dict)
    found_status: int = 200


CASES: dict[str, Case] = {
    "sendgrid": Case(
        {"api_key": KEY}, None, "*", "/mail/send", "/scopes", status=202,
        found={"scopes": ["mail.send"]},
    ),
    "mailgun": Case(
        {"api_key": KEY}, {"id": "<m@mg.example.org>", "message": "Queued. Thank you."},
        "<m@mg.example.org>", "/mg.example.org/messages", "/mg.example.org/messages",
        settings={"domain": "mg.example.org"}, found={"message": "from parameter is missing"},
        found_status=400,
    ),
    "postmark": Case(
        {"server_token": KEY},
        {"To": "reader@example.org", "MessageID": "pm-1", "ErrorCode": 0, "Message": "OK"},
        "pm-1", "/email", "/server", found={"Name": "Notices"},
    ),
    "brevo": Case({"api_key": KEY}, {"messageId": "<b-1>"}, "<b-1>", "/smtp/email", "/account"),
    "mailersend": Case(
        {"api_token": KEY}, None, "ms-1", "/email", "/api-quota", status=202,
        headers={"X-Message-Id": "ms-1", "Content-Type": "text/html"},
    ),
    "mailjet": Case(
        {"api_key": KEY, "secret_key": KEY},
        {"Messages": [{"Status": "success",
                       "To": [{"Email": "reader@example.org", "MessageID": 17}]}]},
        "17", "/send", "/v3/REST/sender?Limit=1",
    ),
    "mailtrap": Case(
        {"api_token": KEY}, {"success": True, "message_ids": ["mt-1"]}, "mt-1", "/send",
        "/accounts", found=[{"id": 1}],
    ),
    "mandrill": Case(
        {"api_key": KEY}, [{"email": "reader@example.org", "status": "sent", "_id": "md-1"}],
        "md-1", "/messages/send.json", "/users/ping2.json", found={"PING": "PONG!"},
    ),
    "postal": Case(
        {"api_key": KEY},
        {"status": "success", "data": {"messages": {"reader@example.org": {"id": 5}}}},
        "5", "/api/v1/send/message", "/api/v1/messages/message",
        found={"status": "error", "data": {"code": "MessageNotFound"}},
    ),
    "resend": Case(
        {"api_key": KEY}, {"id": "rs-1"}, "rs-1", "/emails", "/domains",
        found={"data": [{"name": "example.org", "status": "verified"}]},
    ),
    "scaleway": Case(
        {"secret_key": KEY},
        {"emails": [{"mail_rcpt": "reader@example.org", "id": "sw-1", "status": "new"}]},
        "sw-1", "/regions/fr-par/emails",
        "/regions/fr-par/domains?project_id=11111111-2222-3333-4444-555555555555&page_size=1",
        settings={"project_id": "11111111-2222-3333-4444-555555555555"},
    ),
    "sparkpost": Case(
        {"api_key": KEY},
        {"results": {"total_accepted_recipients": 1, "total_rejected_recipients": 0, "id": "sp-1"}},
        "sp-1", "/transmissions/", "/account",
    ),
    "unisender_go": Case(
        {"api_key": KEY}, {"status": "success", "job_id": "j", "emails": ["reader@example.org"]},
        "*", "/email/send.json", "/system/info.json", found={"status": "success"},
    ),
}  # fmt: skip
EACH = pytest.mark.parametrize("slug", sorted(CASES))


@pytest.fixture
async def house(settings):
    """A web server in the place of every provider; ``answer`` is what it says next."""

    class House:
        answer: Any = None

        async def handle(self, request):
            if callable(self.answer):
                return await self.answer(request)
            status, body, headers = self.answer
            text = "" if body is None else json.dumps(body)
            kind = headers.get("Content-Type", "application/json")
            others = {name: value for name, value in headers.items() if name != "Content-Type"}
            return web.Response(status=status, text=text, content_type=kind, headers=others)

        def account(self, slug):
            case = CASES[slug]
            given = dict(case.settings)
            if slug == "postal":
                given["url"] = self.server.url
            return account_for(slug, given, case.credentials)

        def takes(self, slug):
            case = CASES[slug]
            self.answer = (case.status, case.taken, case.headers)

    made = House()
    async with running_web_server(made.handle) as server:
        made.server = server
        names = [*CASES, "mailtrap_account", "sendgrid_eu", "mailgun_eu"]
        settings.ONE_PROVIDER_URLS = dict.fromkeys(names, server.url)
        yield made


def test_every_provider_of_mail_is_asked():
    known = {one.slug for one in providers(ChannelType.EMAIL) if not one.is_internal}
    assert known - set(CASES) == {"smtp", "ses"}


@EACH
async def test_a_letter_is_taken_with_an_id(house, slug):
    house.takes(slug)
    taken = await sent(house.account(slug), slug)
    case = CASES[slug]
    assert taken.message_id if case.message_id == "*" else taken.message_id == case.message_id
    [(method, path, headers, body)] = house.server.requests
    assert (method, path) == ("POST", case.path)
    said = body.decode()
    shown = said.replace("%40", "@").replace("+", " ")
    assert all(one in shown for one in ("reader@example.org", "sender@example.org", "Good day."))
    # The key is where it belongs: never in the address.
    assert KEY in repr(headers) + said or "Basic " in headers.get("Authorization", "")
    assert KEY not in path
    if provider_of(slug).idempotent:
        assert headers["Idempotency-Key"] == "key-1"


@EACH
@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (401, {}, AuthFailed),
        (429, {"Retry-After": "7"}, RateLimited),
        (400, {}, Permanent),
        (503, {}, Transient),
        (500, {}, OutcomeUnknown),
        (307, {"Location": "/elsewhere"}, Permanent),
    ],
)
async def test_what_a_status_means(house, slug, status, headers, error):
    house.answer = (status, {"message": f"no {KEY}"}, headers)
    with pytest.raises(error) as raised:
        await sent(house.account(slug), slug)
    assert type(raised.value) is error
    assert raised.value.http_status == status
    assert KEY not in whole_chain(raised.value)
    if error is RateLimited:
        assert raised.value.retry_after == 7
    assert len(house.server.requests) == 1, "nothing is sent twice"


@EACH
async def test_a_connection_that_ends_leaves_it_unknown(house, slug):
    async def cut(request):
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
        return web.Response()

    house.answer = cut
    with pytest.raises(OutcomeUnknown) as raised:
        await sent(house.account(slug), slug)
    assert KEY not in whole_chain(raised.value)


# The answers of these hold nothing that could be wrong, or need not.
@pytest.mark.parametrize("slug", sorted(set(CASES) - {"sendgrid", "brevo", "mailersend"}))
async def test_an_answer_nobody_understands_leaves_it_unknown(house, slug):
    house.answer = (200, {"odd": True}, {})
    with pytest.raises(OutcomeUnknown):
        await sent(house.account(slug), slug)


@EACH
async def test_a_key_is_tried_without_sending(house, slug):
    case, provider = CASES[slug], provider_of(slug)
    account = house.account(slug)
    house.answer = (case.found_status, case.found, {})
    assert (await provider.test_connection(account)).endswith(".")
    assert house.server.requests[0][1] == case.tried
    house.answer = (401, {"message": f"no {KEY}"}, {})
    with pytest.raises(AuthFailed) as raised:
        await provider.test_connection(account)
    assert KEY not in whole_chain(raised.value)
    house.answer = (500, None, {})
    with pytest.raises(Transient):
        await provider.test_connection(account)


@pytest.mark.parametrize(
    ("slug", "status", "body", "error"),
    [
        ("sendgrid", 403, {"errors": [{"field": "from", "message": "x"}]}, Permanent),
        ("sendgrid", 400, {"errors": [{"field": "personalizations.0.to.0.email"}]}, BadTarget),
        ("mailgun", 400, {"message": "'to' parameter is not a valid address."}, BadTarget),
        ("postmark", 422, {"ErrorCode": 406, "Message": "You tried to send to a recipient that has "
         "been marked as inactive.\nFound inactive addresses: reader@example.org.\nInactive "
         "recipients are ones that have generated a hard bounce."}, BadTarget),
        ("mailersend", 422, {"message": "x", "errors": {"to.0.email": ["invalid"]}}, BadTarget),
        ("mailjet", 400, {"Messages": [{"Status": "error", "Errors": [
            {"ErrorCode": "mj-0013", "StatusCode": 400}]}]}, BadTarget),
        ("mandrill", 500, {"status": "error", "name": "Invalid_Key", "code": -1}, AuthFailed),
        ("mandrill", 200, [{"email": "reader@example.org", "status": "rejected"}], BadTarget),
        ("postal", 200, {"status": "error", "data": {"code": "InvalidServerAPIKey"}}, AuthFailed),
        ("postal", 200, {"status": "parameter-error", "data": {}}, Permanent),
        ("resend", 409, {"name": "concurrent_idempotent_requests"}, OutcomeUnknown),
        ("resend", 422, {"name": "validation_error", "message": "Invalid `to` field."}, BadTarget),
        ("unisender_go", 200, {"job_id": "j", "emails": [],
         "failed_emails": {"reader@example.org": "invalid"}}, BadTarget),
        ("sparkpost", 200, {"results": {"total_accepted_recipients": 0,
         "total_rejected_recipients": 1, "id": "x"}}, BadTarget),
    ],
)  # fmt: skip
async def test_their_own_ways_to_refuse(house, slug, status, body, error):
    house.answer = (status, body, {})
    with pytest.raises(error) as raised:
        await sent(house.account(slug), slug)
    assert type(raised.value) is error


async def test_a_key_that_may_only_send_is_good_enough(house):
    house.answer = (401, {"name": "restricted_api_key"}, {})
    said = await provider_of("resend").test_connection(house.account("resend"))
    assert "only send" in said
    house.answer = (403, None, {})
    assert await provider_of("sparkpost").test_connection(house.account("sparkpost"))
    house.answer = (200, {"scopes": ["stats.read"]}, {})
    with pytest.raises(Permanent):
        await provider_of("sendgrid").test_connection(house.account("sendgrid"))


async def test_a_slow_provider_keeps_nobody_waiting(house):
    ended, all_there = asyncio.Event(), asyncio.Barrier(9)

    async def hang(request):
        await all_there.wait()
        await ended.wait()
        return web.Response()

    house.answer = hang
    account = house.account("postmark")
    tries = [asyncio.create_task(sent(account, "postmark", deadline=1.5)) for _ in range(8)]
    await all_there.wait()
    house.takes("resend")
    assert (await sent(house.account("resend"), "resend")).message_id == "rs-1"
    assert not any(one.done() for one in tries)
    done = await asyncio.gather(*tries, return_exceptions=True)
    ended.set()
    assert {type(one) for one in done} == {OutcomeUnknown}


async def test_where_nobody_listens_it_may_work_later(settings):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        settings.ONE_PROVIDER_URLS = {"resend": url}
        account = account_for("resend", {}, {"api_key": KEY})
        with pytest.raises(Transient):
            await sent(account, "resend")
        with pytest.raises(Transient):
            await provider_of("resend").test_connection(account)


async def test_a_certificate_that_is_not_good_gets_no_key(settings, tmp_path):
    _, tls = certificate(tmp_path)
    got = []

    async def listen(reader, writer):
        got.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=tls)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings.ONE_PROVIDER_URLS = {"resend": url}
    account = account_for("resend", {}, {"api_key": KEY})
    with pytest.raises(Transient):
        await sent(account, "resend")
    with pytest.raises(Transient):
        await provider_of("resend").test_connection(account)
    server.close()
    assert got == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_key_goes_nowhere_without_encryption(settings, scheme):
    account = account_for("postal", {"url": f"{scheme}://8.8.8.8"}, {"api_key": KEY})
    refused = pytest.raises(InvalidSettings) if scheme == "http" else contextlib.nullcontext()
    with refused:
        provider_of("postal").check_settings(account.settings)


async def test_a_server_of_ones_own_must_be_outside(house, settings):
    settings.ONE_PROVIDER_URLS = {}
    account = house.account("postal")
    with pytest.raises(AddressRefused):
        provider_of("postal").check_settings(account.settings)
    with pytest.raises(Permanent):
        await sent(account, "postal")
    with pytest.raises(Permanent):
        await provider_of("postal").test_connection(account)
    assert house.server.requests == []


async def test_headers_cannot_be_broken(house):
    for slug in CASES:
        with pytest.raises(Permanent):
            await sent(house.account(slug), slug, content=Content(subject="a\r\nBcc: b", text="x"))
    assert house.server.requests == []


@pytest.mark.parametrize("key", ["", "a\nb", "ключ"])
def test_a_key_is_one_line(key):
    with pytest.raises(InvalidSettings) as raised:
        account_for("resend", {}, {"api_key": key})
    assert set(raised.value.problems) == {"api_key"}


async def test_sendgrid_as_it_describes_itself(prism_sendgrid, settings):
    settings.ONE_PROVIDER_URLS = {"sendgrid": f"{prism_sendgrid}/v3"}
    account = account_for("sendgrid", {}, {"api_key": KEY})
    assert (await sent(account, "sendgrid")).message_id
    url = {"list_unsubscribe": "https://one.example.org/u/1"}
    content = Content(subject="Hello", text="Plain only", data=url)
    assert (await sent(account, "sendgrid", content=content)).message_id
