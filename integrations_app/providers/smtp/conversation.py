"""A letter handed to a mail server, step by step: what went wrong depends on how far it came.

Blocks; belongs into a thread of its own.
"""

import re
import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import Message

from integrations_app.errors import (
    AddressRefused,
    AuthFailed,
    BadAddress,
    BadTarget,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    SendError,
    Transient,
)
from integrations_app.providers.mail.attempt import Attempt
from integrations_app.providers.smtp.forms import SmtpCredentials, SmtpSettings
from integrations_app.providers.smtp_door import GuardedSmtp, open_smtp

# "Authentication required", "… mechanism too weak", "credentials invalid", "encryption needed".
_AUTH = (530, 534, 535, 538)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Bare addresses as SMTP takes them; ``needs_utf8``: a name before the @ is not ASCII."""

    sender: str
    receiver: str

    @property
    def needs_utf8(self) -> bool:
        return not (self.sender + self.receiver).isascii()


def envelope(sender: str, receiver: str) -> Envelope:
    """Domains of other scripts are written as IDNA."""
    return Envelope(_ascii_domain(sender), _ascii_domain(receiver))


def logged_in(settings: SmtpSettings, credentials: SmtpCredentials, seconds: float) -> GuardedSmtp:
    """A server that has let us in; nothing was sent. Close it. Raises SendError."""
    failed: SendError
    try:
        return open_smtp(
            settings.host,
            settings.port,
            security=settings.security,
            username=credentials.username,
            password=credentials.password.get_secret_value(),
            timeout=seconds,
        )
    except (AddressRefused, BadAddress) as error:
        failed = Permanent(error.user_message, code=error.code)
    except smtplib.SMTPAuthenticationError as error:
        failed = _refused(error.smtp_code, auth=True)
    except smtplib.SMTPNotSupportedError:
        # STARTTLS, or any way to log in: without encryption servers offer none.
        failed = Permanent("The server offers no such encryption or login.", code="no_starttls")
    except smtplib.SMTPResponseException as error:
        failed = _refused(error.smtp_code)
    except ssl.SSLCertVerificationError:
        failed = Transient("The certificate of the server is not good.", code="certificate")
    except ssl.SSLError:
        failed = Transient("The server does not speak this encryption.", code="tls")
    except socket.gaierror:
        failed = Transient("There is no server of this name.", code="no_such_host")
    except smtplib.SMTPException as error:
        # "No suitable authentication method", a server that hangs up.
        is_login = type(error) is smtplib.SMTPException
        failed = AuthFailed(code="no_login") if is_login else Transient(code="disconnected")
    except (OSError, ValueError) as error:
        failed = Transient(code=type(error).__name__)
    # Outside of the except: smtplib's errors may hold what was said, and their frames the password.
    raise failed


def hand_over(server: GuardedSmtp, route: Envelope, message: Message, attempt: Attempt) -> None:
    """Send the letter. Raises Transient and RateLimited (surely not taken), Permanent, BadTarget,
    AuthFailed, OutcomeUnknown (the connection ended after the letter began to go out)."""
    failed: SendError
    body_begun = False
    try:
        data = _as_lines(message)
        options = _options(server, route, data)
        _expect(server.mail(route.sender, options), 250)
        code, _ = server.rcpt(route.receiver)
        if code not in (250, 251):
            raise _refused(code, is_target=True)
        attempt.begin()
        _expect(server.docmd("DATA"), 354)
        body_begun = True
        server.send(data)
        _expect(server.getreply(), 250)
        return
    except SendError as error:
        failed = error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        kind = OutcomeUnknown if body_begun else Transient
        failed = kind(code="timeout" if server.is_late else type(error).__name__)
    raise failed


def _options(server: GuardedSmtp, route: Envelope, data: bytes) -> list[str]:
    options = []
    if not data.isascii() and server.has_extn("8bitmime"):
        options.append("BODY=8BITMIME")
    if route.needs_utf8:
        if not server.has_extn("smtputf8"):
            raise BadTarget("The server takes no addresses of other scripts.", code="no_smtputf8")
        options.append("SMTPUTF8")
    return options


def _expect(reply: tuple[int, bytes], code: int) -> None:
    if reply[0] != code:
        raise _refused(reply[0])


def _refused(code: int, *, is_target: bool = False, auth: bool = False) -> SendError:
    """The meaning of a reply: 4xx is for now, 5xx for good; -1 is no reply at all."""
    shown = f"smtp_{code}" if code > 0 else "disconnected"
    if code in _AUTH or (auth and code >= 500):
        return AuthFailed(code=shown)
    if code == 452 and not is_target:  # too many letters, or no room
        return RateLimited(None, code=shown)
    if code < 500:
        return Transient("The mail server does not take it now.", code=shown)
    return BadTarget(code=shown) if is_target else Permanent(code=shown)


def _as_lines(message: Message) -> bytes:
    """As SMTP takes it: CRLF, dots at the beginning of lines doubled, the closing dot."""
    data = message.as_bytes()
    data = re.sub(rb"\r\n|\r|\n", b"\r\n", data)
    data = re.sub(rb"(?m)^\.", b"..", data)
    return data.rstrip(b"\r\n") + b"\r\n.\r\n"


def _ascii_domain(address: str) -> str:
    user, _, domain = address.rpartition("@")
    try:
        return f"{user}@{domain.encode('idna').decode()}"
    except UnicodeError:
        raise BadTarget("This is not an e-mail address.") from None
