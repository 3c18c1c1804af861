"""When the demo model sends something or looks into a connected service, and with what."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

_ADDRESS: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE: Final = re.compile(r"\+\d[\d ]{6,18}\d")
_PLACE: Final = re.compile(r"#([\w-]+)")
_QUOTED: Final = re.compile(r"\"([^\"]+)\"|“([^”]+)”")
_SAYING: Final = re.compile(
    r"(?:\bthat says\b|\bsaying\b|\btext(?:ing)?\b:|:|\bthat\b)\s*(.+)", re.IGNORECASE | re.DOTALL
)
_ABOUT: Final = re.compile(
    r"\babout\s+(.+?)(?=\s+(?:saying|that says|with)\b|[:;\n]|$)", re.IGNORECASE
)
_TO_ME: Final = re.compile(r"\b(?:to me|me an?|myself|mail me|text me|notify me)\b", re.IGNORECASE)
_WHERE: Final = re.compile(
    r"\b(?:in|on|from)\s+(?:my\s+)?(?:google drive|drive|notion|onedrive)\b", re.IGNORECASE
)
_SOUGHT: Final = re.compile(r"\b(?:for|about)\s+(.+)", re.IGNORECASE)

SIGNS: Final = {
    "send_email": r"\b(?:send|write|mail)\b.{0,60}\be-?mail\b|\be-?mail (?:me|to|the)\b"
    r"|\bsend\b.{0,60}[\w.+-]+@[\w-]+\.\w",
    "send_sms": r"\b(?:send|write)\b.{0,40}\b(?:sms|text message)\b|\btext me\b",
    "post_to_slack": r"\b(?:post|send|say|write|tell)\b.{0,60}\bslack\b|\bslack\b.{0,20}#\w",
    "notify_user": r"\bnotify\b|\bsend\b.{0,30}\bnotification\b",
    "search_google_drive": r"\b(?:google )?drive\b",
    "search_notion": r"\bnotion\b",
    "search_onedrive": r"\bonedrive\b",
    "request_connection": r"\bconnect (?:my|an?|the)\b.{0,30}\baccount\b",
}


def kind_of(name: str, properties: Iterable[str]) -> str:
    """The name whose rules hold for a tool: one that takes a subject and a text sends e-mail,
    whatever the organisation calls it."""
    return "send_email" if {"subject", "text"} <= set(properties) else name


def quoted(question: str) -> str:
    """The first text in quotation marks."""
    found = _QUOTED.search(question)
    return next(filter(None, found.groups())) if found else ""


def whom(question: str) -> str:
    """An address, a number, a channel, or "me"."""
    for pattern in (_ADDRESS, _PHONE, _PLACE):
        if found := pattern.search(question):
            return found[0].rstrip(".")
    return "me" if _TO_ME.search(question) else ""


def said(question: str) -> str:
    """What is to be said."""
    rest = _ADDRESS.sub(" ", question)
    found = _SAYING.search(rest)
    return quoted(question) or (found[1].strip() if found else question.strip())


def subject(question: str) -> str:
    """What it is about, else the beginning of what it says."""
    found = _ABOUT.search(question)
    text = found[1] if found else said(question)
    line = " ".join(text.split()).strip(" .,:;\"'“”")[:80]
    return line[:1].upper() + line[1:]


def sought(question: str) -> str:
    """The words to look for."""
    asked = _WHERE.sub(" ", question)
    found = _SOUGHT.search(asked)
    text = quoted(question) or (found[1] if found else asked)
    return " ".join(text.split()).strip(" .,?!")


_Rule = Callable[[str], str | bool]
RULES: Final[Mapping[tuple[str, str], _Rule]] = {
    ("send_email", "to"): whom,
    ("send_email", "subject"): subject,
    ("send_email", "text"): said,
    ("send_sms", "to"): whom,
    ("send_sms", "text"): said,
    ("post_to_slack", "to"): whom,
    ("post_to_slack", "text"): said,
    ("notify_user", "to"): whom,
    ("notify_user", "title"): subject,
    ("notify_user", "text"): said,
    ("search_google_drive", "query"): sought,
    ("search_notion", "query"): sought,
    ("search_onedrive", "query"): sought,
}
