"""What a file is, told by its content. Its name only helps where the content cannot tell."""

import csv
import re
from enum import StrEnum
from pathlib import PurePath
from typing import Final

from agents_app.knowledge.archives import content_types, open_archive
from agents_app.knowledge.bounds import ParseLimits
from agents_app.knowledge.encoding import decode, wide_encoding
from agents_app.knowledge.failures import ParseFailed, failed, unsupported
from agents_app.knowledge.signatures import PICTURES, refused

_HEAD: Final = 64 * 1024


class MediaKind(StrEnum):
    """The kinds that are known here; each value is the media type."""

    PDF = "application/pdf"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    HTML = "text/html"
    EMAIL = "message/rfc822"
    CSV = "text/csv"
    MARKDOWN = "text/markdown"
    TEXT = "text/plain"
    PNG = "image/png"
    JPEG = "image/jpeg"
    GIF = "image/gif"
    WEBP = "image/webp"

    @property
    def is_image(self) -> bool:
        """A picture: for models that see, not for search."""
        return self.value.startswith("image/")


_OFFICE: Final = (
    ("wordprocessingml.document.main+xml", MediaKind.DOCX),
    ("presentationml.presentation.main+xml", MediaKind.PPTX),
    ("spreadsheetml.sheet.main+xml", MediaKind.XLSX),
)
_HINTS: Final = {
    ".csv": MediaKind.CSV,
    ".tsv": MediaKind.CSV,
    ".md": MediaKind.MARKDOWN,
    ".markdown": MediaKind.MARKDOWN,
    ".htm": MediaKind.HTML,
    ".html": MediaKind.HTML,
    ".txt": MediaKind.TEXT,
}
_SOMETHING = re.compile(rb"[^\0 \t\r\n]")
_UNREADABLE = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffd]")
_PAGE = re.compile(
    r"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,2000}?-->\s*)?<(!doctype html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"<(?:p|div|h[1-6]|table|ul|ol|span|br|a)\b", re.IGNORECASE)
_MAIL_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,40}):(?:[ \t]|$)")
_MAIL_NAMES: Final = frozenset(
    ("from", "to", "subject", "date", "received", "message-id", "mime-version", "return-path",
     "cc", "content-type", "delivered-to", "reply-to", "sender")
)  # fmt: skip
_SENT: Final = frozenset(("from", "received", "return-path", "message-id", "mime-version"))
_MARKS: Final = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^#{1,6} \S", r"^(?:```|~~~)", r"\[[^\]\n]{1,200}\]\([^)\s]{1,500}\)",
        r"\*\*[^*\n]{1,200}\*\*", r"^(?:=|-){3,}[ \t]*$", r"^\|.{1,500}\|[ \t]*$",
    )
)  # fmt: skip


def sniff(data: bytes, filename: str = "", limits: ParseLimits | None = None) -> MediaKind:
    """The kind of a file. Cheap: nothing is unpacked but the table of contents of Office files.

    Raises UnsupportedFile, with what it is and what to do, and ParseFailed for a broken zip.
    """
    if _SOMETHING.search(data) is None:
        raise failed("no_text")
    for mark, name in PICTURES:
        if mark.match(data):
            return MediaKind(name)
    if is_pdf(data):
        return MediaKind.PDF
    if data.startswith(b"PK"):
        return _office(data, limits or ParseLimits())
    what = refused(data)
    if what is not None:
        raise unsupported(*what)
    head = data[:_HEAD]
    is_wide = bool(wide_encoding(data)) or head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = "" if b"\0" in head and not is_wide else decode(_whole_lines(head, data))
    if len(_UNREADABLE.findall(text)) >= 0.05 * len(text):
        raise unsupported(
            "a binary file of an unknown kind", "Please save it as PDF, DOCX or text."
        )
    return _text(text, PurePath(filename).suffix.lower())


def is_pdf(data: bytes) -> bool:
    """Readers allow rubbish before the mark, so it also counts with the end of a PDF."""
    place = data.find(b"%PDF-", 0, 1024)
    return place == 0 or (place > 0 and b"startxref" in data[-2048:])


def _office(data: bytes, limits: ParseLimits) -> MediaKind:
    try:
        archive = open_archive(data, limits)
    except ParseFailed as failure:
        if failure.code == "password":
            raise unsupported("an archive with a password", "Please unpack it first.") from None
        raise
    with archive:
        types = content_types(archive)
        names = set(archive.namelist())
    if "macroenabled" in types.lower() or "vbaproject" in types.lower():
        raise unsupported(
            "an Office file with macros", "Please save it without macros (DOCX, XLSX, PPTX)."
        )
    for mark, kind in _OFFICE:
        if mark in types:
            return kind
    if "template.main+xml" in types or "slideshow.main+xml" in types:
        raise unsupported(
            "an Office template or slide show", "Please save it as DOCX, XLSX or PPTX."
        )
    if types:
        raise unsupported("an Office file of another kind", "Please save it as PDF.")
    if "mimetype" in names:
        raise unsupported(
            "an OpenDocument or e-book file", "Please save it as DOCX, XLSX, PPTX or PDF."
        )
    raise unsupported("an archive", "Please unpack it and upload the files in it.")


def _whole_lines(head: bytes, data: bytes) -> bytes:
    """The head without a letter or a line that its end cuts in two."""
    if len(head) == len(data):
        return head
    end = head.rfind(b"\n")
    # An even number of bytes, for UTF-16.
    return head[: max(end - 1, 1024) & ~1]


def _text(text: str, suffix: str) -> MediaKind:
    hint = _HINTS.get(suffix)
    if _PAGE.match(text) or (hint is MediaKind.HTML and _TAG.search(text)):
        return MediaKind.HTML
    if _is_mail(text):
        return MediaKind.EMAIL
    if hint is not None:
        return hint if hint is not MediaKind.HTML else MediaKind.TEXT
    if delimiter_of(text):
        return MediaKind.CSV
    marks = [mark.search(text) is not None for mark in _MARKS]
    return MediaKind.MARKDOWN if marks[0] and sum(marks) > 1 else MediaKind.TEXT


def _is_mail(text: str) -> bool:
    names = set()
    for number, line in enumerate(text.lstrip("\ufeff\r\n").splitlines()[:200]):
        found = _MAIL_LINE.match(line)
        if found:
            names.add(found[1].lower())
        elif not line.strip():
            break
        elif not line.startswith((" ", "\t")) and not (number == 0 and line.startswith("From ")):
            return False
    return len(names & _MAIL_NAMES) >= 2 and bool(names & _SENT)


def delimiter_of(text: str) -> str:
    """What parts the columns where each of the first rows has the same number; else empty."""
    lines = [line[:2000] for line in text.splitlines()[:60] if line.strip()]
    # The last one may be cut.
    lines = lines[:50] if len(lines) > 50 else lines
    if len(lines) < 2:
        return ""
    for delimiter in ("\t", ";", ",", "|"):
        if not all(delimiter in line for line in lines):
            continue
        try:
            widths = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
        except csv.Error:
            continue
        # Prose has a comma here and there; three columns, or two in many rows, are no accident.
        if len(widths) == 1 and (min(widths) > 2 or len(lines) >= 4 or delimiter in "\t;"):
            return delimiter
    return ""
