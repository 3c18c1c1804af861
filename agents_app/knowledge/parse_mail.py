"""E-mails: who wrote what to whom, the text, and the names of what was attached."""

from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final

from agents_app.knowledge.bounds import Budget
from agents_app.knowledge.encoding import decode
from agents_app.knowledge.media import MediaKind
from agents_app.knowledge.parse_text import html_text
from agents_app.knowledge.parsed import PageWriter, ParsedDocument
from one_project.common.text import clean_line

_NAMES: Final = ("From", "To", "Cc", "Subject", "Date")
_MAX_HEADER: Final = 1_000
_MAX_PARTS: Final = 500


def parse(
    data: bytes, media: MediaKind, budget: Budget, on_page: Callable[[int, int], None]
) -> ParsedDocument:
    """One page. Raises ParseFailed."""
    message = message_from_bytes(data, policy=policy.default)
    writer = PageWriter()
    for name in _NAMES:
        value = _header(message, name)
        if value:
            writer.line(f"{name}: {value}")
    body, attached = _parts(message, budget)
    if attached:
        writer.line("Attachments: " + ", ".join(attached))
    writer.blank()
    budget.text(len(body) + writer.size)
    writer.line(body)
    on_page(1, 1)
    warnings = ("Attachments are named, not read.",) if attached else ()
    return ParsedDocument(_header(message, "Subject"), media.value, (writer.page(),), warnings)


def _header(message: EmailMessage, name: str) -> str:
    """Decoded where it can be; as it was sent where the standard library gives up on it."""
    try:
        return clean_line(message[name], _MAX_HEADER)
    except (ValueError, LookupError, IndexError, TypeError, AttributeError):
        raw = {key.lower(): value for key, value in message.raw_items()}
        return clean_line(raw.get(name.lower(), ""), _MAX_HEADER)


def _parts(message: EmailMessage, budget: Budget) -> tuple[str, list[str]]:
    """The text, from HTML where there is no plain one, and the names of the attachments."""
    plain: list[str] = []
    html: list[str] = []
    attached: list[str] = []
    for number, part in enumerate(message.walk()):
        if number > _MAX_PARTS:
            break
        name = part.get_filename()
        if name:
            attached.append(clean_line(name, 200))
        elif part.get_content_type() == "text/plain":
            plain.append(_text(part))
        elif part.get_content_type() == "text/html":
            html.append(html_text(_text(part), budget)[1])
    return "\n\n".join(plain if any(map(str.strip, plain)) else html), attached


def _text(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset() or "utf-8")
    except (LookupError, ValueError, OSError):
        return decode(payload)
