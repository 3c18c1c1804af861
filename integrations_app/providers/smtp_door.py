"""The door to mail servers: hosts that people choose are checked here as addresses of the web are.

``GuardedSmtp`` and ``GuardedSmtpSsl`` take the place of smtplib's classes (also in Django's e-mail
backend, whose ``connection_class`` they can be). They block: call them in
``threads.in_own_thread``.
"""

import smtplib
import socket
import ssl
from typing import Any, Final, Literal

from django.core.mail.utils import DNS_NAME

from integrations_app.errors import BadAddress
from integrations_app.providers.deadlines import CutOff, connected
from integrations_app.providers.destinations import MAIL_PORTS, looked_up

Security = Literal["starttls", "tls", "none"]
TIMEOUT: Final = 20.0
_MOST_ADDRESSES: Final = 4


class GuardedSmtp(smtplib.SMTP):
    """SMTP to a checked address on a port of mail (25, 465, 587, 2525) or one that is listed.

    timeout: seconds for the whole conversation, from the look-up to ``quit``; at its end the
    connection is cut (``is_late``), which smtplib reports as SMTPServerDisconnected. Raises, when
    it connects, AddressRefused, BadAddress, OSError.
    """

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        local_hostname: str | None = None,
        timeout: float = TIMEOUT,
        **options: Any,
    ) -> None:
        self._cut: CutOff | None = None
        self._seconds = timeout
        # Without a name smtplib looks one up, which may take as long as all the rest.
        name = local_hostname or DNS_NAME.get_fqdn()
        super().__init__(host, port, local_hostname=name, timeout=timeout, **options)

    @property
    def is_late(self) -> bool:
        """Whether the deadline has cut the connection."""
        return self._cut is not None and self._cut.is_late

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        if not host:
            raise BadAddress(detail="no mail server")
        if self._cut is not None:
            self._cut.done()
        self._cut = CutOff(self._seconds)
        try:
            found = looked_up(host, port, ports=MAIL_PORTS)
            return self._first([one.address for one in found[:_MOST_ADDRESSES]], port)
        except BaseException:
            self._cut.done()
            raise

    def _first(self, addresses: list[str], port: int) -> socket.socket:
        failed: OSError | None = None
        for one in addresses:
            try:
                made = connected(one, port, self._seconds / len(addresses))
            except OSError as error:
                failed = error
                continue
            made.settimeout(self._seconds)
            assert self._cut is not None
            self._cut.watch(made)
            return made
        raise failed or OSError("the name has no address")

    def starttls(self, **options: Any) -> tuple[int, bytes]:  # type: ignore[override]
        """As smtplib, but certificates and names are always checked."""
        options["context"] = options.get("context") or tls_context()
        return super().starttls(**options)

    def close(self) -> None:
        super().close()
        if self._cut is not None:
            self._cut.done()


class GuardedSmtpSsl(smtplib.SMTP_SSL, GuardedSmtp):
    """The same with TLS from the first byte."""

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        local_hostname: str | None = None,
        timeout: float = TIMEOUT,
        context: ssl.SSLContext | None = None,
        **options: Any,
    ) -> None:
        # Not smtplib.SMTP_SSL's, which would go without checking certificates.
        self.context = context or tls_context()
        GuardedSmtp.__init__(self, host, port, local_hostname, timeout, **options)


def tls_context() -> ssl.SSLContext:
    """Certificates and names checked, TLS 1.2 at least."""
    return ssl.create_default_context()


def open_smtp(
    host: str,
    port: int,
    *,
    security: Security = "starttls",
    username: str = "",
    password: str = "",
    timeout: float = TIMEOUT,
    context: ssl.SSLContext | None = None,
) -> GuardedSmtp:
    """A mail server, greeted, secured and logged in to. Close it, or use it in ``with``.

    Blocks. Raises AddressRefused, BadAddress, OSError (TLS's among them), smtplib.SMTPException:
    whatever happens here, no message was handed over.
    """
    server: GuardedSmtp
    if security == "tls":
        server = GuardedSmtpSsl(host, port, timeout=timeout, context=context)
    else:
        server = GuardedSmtp(host, port, timeout=timeout)
    try:
        server.ehlo_or_helo_if_needed()
        if security == "starttls":
            server.starttls(context=context)
            server.ehlo()
        if username:
            server.login(username, password)
    except BaseException:
        server.close()
        raise
    return server
