"""Content as a letter: plain text with HTML beside it, headers that nobody can break out of."""

import hashlib
import re
from email.headerregistry import Address

from django.core.mail import EmailMultiAlternatives
from django.utils.html import format_html

from integrations_app.errors import BadTarget, Permanent
from integrations_app.providers.base import Content, Target
from integrations_app.providers.mail.forms import MailSettings, is_mail_address, is_one_line
from integrations_app.types import EndpointType

MAX_SUBJECT_CHARS = 250
# What fits into a header after Subject: was a first line.
_FIRST_LINE_CHARS = 78
_MESSAGE_ID = re.compile(r"<[^\s<>@]{1,200}@[^\s<>@]{1,200}>")
_UNSUBSCRIBE = re.compile(r"(https://|mailto:)[^\s<>,\"]{1,900}")


def message_id_of(sender: MailSettings, idempotency_key: str) -> str:
    """The Message-ID: the same for the same key, so that copies are known as such."""
    digest = hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]
    domain = sender.from_email.rpartition("@")[2].encode("idna").decode()
    return f"<{digest}@{domain}>"


def letter(
    content: Content, target: Target, sender: MailSettings, *, message_id: str
) -> EmailMultiAlternatives:
    """``content`` to ``target`` from ``sender``.

    ``content.data["list_unsubscribe"]``: an https address that unsubscribes with one POST, or a
    mailto. Raises BadTarget for what is no address, Permanent for a subject or name of several
    lines and for an empty letter.
    """
    if target.type != EndpointType.EMAIL or not is_mail_address(target.address):
        raise BadTarget("This is not an e-mail address.")
    if not content.text.strip() and not content.html.strip():
        raise Permanent("There is nothing in this message.", code="empty")
    made = EmailMultiAlternatives(
        subject=_subject(content),
        body=_text(content),
        from_email=_named(sender.from_name, sender.from_email),
        to=[_named(target.name, target.address)],
        reply_to=[sender.reply_to] if sender.reply_to else None,
        headers={"Message-ID": message_id, **_headers(content)},
    )
    if content.html.strip():
        made.attach_alternative(_html(content), "text/html")
    return made


def _subject(content: Content) -> str:
    if not is_one_line(content.subject):
        raise Permanent("The subject must be one line.", code="bad_header")
    first = content.text.strip().splitlines()[0] if content.text.strip() else ""
    return (content.subject.strip() or first[:_FIRST_LINE_CHARS] or "Message")[:MAX_SUBJECT_CHARS]


def _text(content: Content) -> str:
    if not content.url or content.url in content.text:
        return content.text
    return f"{content.text}\n\n{content.url}\n"


def _html(content: Content) -> str:
    if not content.url or content.url in content.html or not content.url.startswith("http"):
        return content.html
    return content.html + format_html('<p><a href="{}">{}</a></p>', content.url, content.url)


def _named(name: str, address: str) -> str:
    """``Name <address>``. Raises Permanent for a name of several lines."""
    if not is_one_line(name):
        raise Permanent("A name must be one line.", code="bad_header")
    user, _, domain = address.rpartition("@")
    return str(Address(display_name=name, username=user, domain=domain)) if name else address


def _headers(content: Content) -> dict[str, str]:
    headers: dict[str, str] = {}
    if _MESSAGE_ID.fullmatch(content.thread):
        headers |= {"In-Reply-To": content.thread, "References": content.thread}
    unsubscribe = str(content.data.get("list_unsubscribe", ""))
    if _UNSUBSCRIBE.fullmatch(unsubscribe):
        headers["List-Unsubscribe"] = f"<{unsubscribe}>"
        if unsubscribe.startswith("https://"):
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
