"""Letters through a mail server: what arrives, and what each failure means."""

import asyncio
import socket

import pytest

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
from integrations_app.providers.base import Content, Target, validated
from integrations_app.providers.mail.attempt import Attempt
from integrations_app.providers.registry import provider_of
from integrations_app.providers.smtp.forms import SmtpCredentials, SmtpSettings
from integrations_app.types import EndpointType
from tests.integrations.mail_server import DROP, HANG, certificate, running_mail_server
from tests.integrations.providers.mail_accounts import (
    LETTER,
    READER,
    SENDER,
    account_for,
    sent,
    whole_chain,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:aiosmtpd")

PEOPLE = {"one": "canary-smtp-password"}
LOGIN = {"username": "one", "password": "canary-smtp-password"}


def to(address, name=""):
    return Target(type=EndpointType.EMAIL, address=address, name=name)


@pytest.fixture
def listed(settings):
    """Makes a server one that the operator has listed."""

    def listing(server, security="none", credentials=None):
        settings.ONE_HTTP_ALLOWED_HOSTS = [
            *getattr(settings, "ONE_HTTP_ALLOWED_HOSTS", []),
            server.address,
        ]
        given = {"host": "127.0.0.1", "port": server.port, "security": security}
        return account_for("smtp", given, credentials or {})

    return listing


async def test_a_letter_arrives_as_it_was_written(listed):
    content = Content(
        subject="Grüße",
        text=".first\n..second\nlast",
        html="<p>Gruß</p>",
        url="https://one.example.org/t/1",
        data={"list_unsubscribe": "https://one.example.org/u/1"},
        thread="<earlier@example.org>",
    )
    async with running_mail_server(people=PEOPLE) as server:
        account = listed(server, credentials=LOGIN)
        taken = await sent(account, "smtp", content=content)
        again = await sent(account, "smtp", content=content)
    letter = server.letters[0]
    assert letter["Message-ID"] == taken.message_id == again.message_id
    assert taken.message_id.endswith("@example.org>")
    assert (letter["Subject"], letter["From"]) == ("Grüße", "Sender <sender@example.org>")
    assert letter["To"] == "A reader <reader@example.org>"
    assert letter["List-Unsubscribe"] == "<https://one.example.org/u/1>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter["In-Reply-To"] == "<earlier@example.org>"
    text = letter.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert text.startswith(".first\n..second\nlast")
    assert "https://one.example.org/t/1" in text
    assert "<p>Gruß</p>" in letter.get_body(("html",)).get_content()
    assert server.senders[0] == "sender@example.org"
    assert server.receivers[0] == "reader@example.org"


@pytest.mark.parametrize(
    ("content", "target", "error"),
    [
        (Content(subject="a\r\nBcc: b@example.org", text="x"), READER, Permanent),
        (Content(subject="a\nb", text="x"), READER, Permanent),
        (LETTER, to("a@example.org\nBcc: b@example.org"), BadTarget),
        (LETTER, to("a@example.org", "x\r\nBcc: y"), Permanent),
        (LETTER, to("not an address"), BadTarget),
        (LETTER, to("a@example.org, b@example.org"), BadTarget),
        (LETTER, Target(type=EndpointType.PHONE, address="+4930123456"), BadTarget),
        (Content(subject="Nothing"), READER, Permanent),
    ],
)
async def test_nobody_breaks_out_of_a_header(listed, content, target, error):
    async with running_mail_server() as server:
        with pytest.raises(error):
            await sent(listed(server), "smtp", content=content, target=target)
    assert server.steps == []


@pytest.mark.parametrize(
    ("step", "answer", "error"),
    [
        ("MAIL", "451 later", Transient),
        ("MAIL", "550 not this sender", Permanent),
        ("MAIL", "530 log in first", AuthFailed),
        ("MAIL", "452 too many", RateLimited),
        ("MAIL", DROP, Transient),
        ("RCPT", "450 greylisted", Transient),
        ("RCPT", "452 mailbox full", Transient),
        ("RCPT", "550 unknown", BadTarget),
        ("RCPT", DROP, Transient),
        ("DATA", "451 later", Transient),
        ("DATA", "554 no spam here", Permanent),
        ("DATA", DROP, OutcomeUnknown),
    ],
)
async def test_what_a_refusal_means(listed, step, answer, error):
    async with running_mail_server() as server:
        server.answers[step] = answer
        with pytest.raises(error) as raised:
            await sent(listed(server), "smtp")
        assert type(raised.value) is error
        assert server.letters == []


@pytest.mark.parametrize(("step", "error"), [("RCPT", Transient), ("DATA", OutcomeUnknown)])
async def test_a_silent_server_holds_nobody_up(listed, step, error):
    async with running_mail_server() as silent, running_mail_server() as good:
        silent.answers[step] = HANG
        stuck, fine = listed(silent), listed(good)
        tries = [
            asyncio.create_task(sent(stuck, "smtp", deadline=1.5, key=f"k{n}")) for n in range(8)
        ]
        # Before any of those ends.
        assert (await sent(fine, "smtp")).message_id
        assert not any(one.done() for one in tries)
        ended = await asyncio.gather(*tries, return_exceptions=True)
    assert {type(one) for one in ended} == {error}


def test_nothing_begins_once_nobody_waits():
    given_up, begun, late = Attempt(5), Attempt(5), Attempt(0)
    assert not given_up.give_up()
    begun.begin()
    assert begun.give_up()
    for one in (given_up, begun, late):
        with pytest.raises(Transient):
            one.begin()


async def test_a_wrong_password_is_told_and_seen_nowhere(listed, caplog):
    caplog.set_level("DEBUG")
    async with running_mail_server(people=PEOPLE) as server:
        account = listed(server, credentials={"username": "one", "password": "canary-smtp-wrong"})
        for call in (sent(account, "smtp"), provider_of("smtp").test_connection(account)):
            with pytest.raises(AuthFailed) as raised:
                await call
            assert raised.value.code == "smtp_535"
            assert "canary-" not in whole_chain(raised.value)
    assert "canary-" not in repr(account)
    assert server.letters == []


async def test_a_test_sends_nothing_and_says_what_it_found(listed):
    async with running_mail_server(people=PEOPLE) as server:
        said = await provider_of("smtp").test_connection(listed(server, credentials=LOGIN))
    assert "the login is good" in said
    assert "without encryption" in said
    assert server.steps == ["AUTH"]


async def test_where_nobody_listens_it_may_work_later(listed):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        class Nobody:
            port = unused.getsockname()[1]
            address = f"127.0.0.1:{port}"

        with pytest.raises(Transient):
            await sent(listed(Nobody), "smtp")


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_encryption_needs_a_good_certificate(listed, security, tmp_path, monkeypatch):
    trusted, tls = certificate(tmp_path)
    async with running_mail_server(people=PEOPLE, tls=tls, implicit=security == "tls") as server:
        account = listed(server, security, LOGIN)
        with pytest.raises(Transient) as raised:
            await sent(account, "smtp")
        assert raised.value.code == "certificate"
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert (await sent(account, "smtp")).message_id
    assert len(server.letters) == 1


async def test_no_password_goes_out_where_encryption_is_not_offered(listed):
    async with running_mail_server(people=PEOPLE) as server:
        with pytest.raises(Permanent):
            await sent(listed(server, "starttls", LOGIN), "smtp")
    assert server.steps == []


async def test_servers_inside_are_refused_at_saving_and_at_sending(settings):
    provider = provider_of("smtp")
    settings.ONE_HTTP_ALLOWED_HOSTS = []
    async with running_mail_server() as server:
        for host, port in (("127.0.0.1", server.port), ("localhost", 25), ("169.254.169.254", 587)):
            account = account_for("smtp", {"host": host, "port": port}, {})
            with pytest.raises(AddressRefused):
                provider.check_settings(account.settings)
            with pytest.raises(Permanent):
                await sent(account, "smtp")
            with pytest.raises(Permanent):
                await provider.test_connection(account)
        bare = account_for("smtp", {"host": "8.8.8.8", "port": 25, "security": "none"}, {})
        with pytest.raises(InvalidSettings):
            provider.check_settings(bare.settings)
        with pytest.raises(Permanent):
            await sent(bare, "smtp")
    assert server.steps == []


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"from_email": "nobody"}, "from_email"),
        ({"from_email": "a@example.org\nBcc: b@example.org"}, "from_email"),
        ({"from_name": "a\r\nb"}, "from_name"),
        ({"reply_to": "x"}, "reply_to"),
        ({"host": "a b"}, "host"),
        ({"host": "smtp://x"}, "host"),
        ({"port": 0}, "port"),
        ({"security": "maybe"}, "security"),
        ({"other": 1}, "other"),
    ],
)
def test_settings_are_looked_at(changed, name):
    good = {**SENDER, "host": "smtp.example.org"}
    assert validated(SmtpSettings, good).port == 587
    with pytest.raises(InvalidSettings) as raised:
        validated(SmtpSettings, {**good, **changed})
    assert set(raised.value.problems) == {name}


def test_a_login_is_whole_or_none():
    validated(SmtpCredentials, {})
    with pytest.raises(InvalidSettings) as raised:
        validated(SmtpCredentials, {"password": "canary-alone"})
    assert "canary" not in str(raised.value)
