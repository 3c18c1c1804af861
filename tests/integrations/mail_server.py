"""A mail server on 127.0.0.1 that does what a test says. Not a test module."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DROP = "drop"
HANG = "hang"


@dataclass
class MailServer:
    """What it does, and what it got.

    answers: by step (``MAIL``, ``RCPT``, ``DATA``), a reply, or DROP or HANG. people: names and
    passwords. letters: what was accepted. receivers: whom they were for. steps: what was asked.
    """

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    letters: list[Message] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    receivers: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        envelope.mail_from = address
        return await self._answer("MAIL", server, "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        envelope.rcpt_tos.append(address)
        return await self._answer("RCPT", server, "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        reply = await self._answer("DATA", server, "250 taken")
        if reply.startswith("250"):
            self.raw.append(envelope.content)
            self.letters.append(message_from_bytes(envelope.content, EmailMessage, policy=default))
            self.senders.append(envelope.mail_from)
            self.receivers += envelope.rcpt_tos
        return reply

    async def _answer(self, step: str, server: Any, usual: str) -> str:
        self.steps.append(step)
        told = self.answers.get(step, usual)
        if told == DROP:
            server.transport.abort()
        elif told == HANG:
            await self.closing.wait()
        return told if told[:1].isdigit() else "421 gone"

    def checked(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        self.steps.append("AUTH")
        assert isinstance(data, LoginPassword)
        known = self.people.get(data.login.decode())
        return AuthResult(success=known == data.password.decode(), handled=False)


@asynccontextmanager
async def running_mail_server(
    *,
    people: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    implicit: bool = False,
) -> AsyncIterator[MailServer]:
    """tls: a certificate, offered by STARTTLS, or from the first byte with ``implicit``. people:
    who may log in; without any nobody has to."""
    state = MailServer(people=dict(people or {}))

    def made() -> SMTP:
        return SMTP(
            state,
            hostname="mail.example.test",
            enable_SMTPUTF8=True,
            tls_context=None if implicit else tls,
            require_starttls=tls is not None and not implicit,
            auth_required=bool(people),
            auth_require_tls=False,
            authenticator=state.checked,
            loop=asyncio.get_running_loop(),
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(made, "127.0.0.1", 0, ssl=tls if implicit else None)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        state.closing.set()
        server.close()
        await asyncio.sleep(0)


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of its own for 127.0.0.1: the file to trust, and the server's side of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "mail.pem", folder / "mail.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return public, context
