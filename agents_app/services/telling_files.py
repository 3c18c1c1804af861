"""Stored files as models are told them: pictures as they are, of everything else its text.

The text is read once and kept on the row. Nothing here fails a turn: what cannot be read says so.
"""

import logging
from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

from django.core.cache import cache
from django.db import connection

from agents_app.errors import StoredFileNotFound
from agents_app.knowledge.encoding import decode
from agents_app.knowledge.failures import ParseFailed
from agents_app.knowledge.sandbox import parse_in_sandbox
from agents_app.models import StoredFile
from agents_app.providers.parts import FilePart, Part, TextPart
from agents_app.services.files import open_file, part_of
from one_project.common.ids import parse_id
from one_project.common.tenancy import in_tenant
from one_project.common.text import clean_text

logger = logging.getLogger(__name__)

TEXT_LIMIT: Final = 20_000  # characters of one file
PICTURE_BYTES: Final = 10 * 1024 * 1024
PICTURE_PIXELS: Final = 20_000_000
PLAIN: Final = frozenset({"text/plain", "text/markdown", "text/csv"})
# A character has four bytes at most; a few more, as one may be cut in two.
_PLAIN_BYTES: Final = 4 * TEXT_LIMIT + 8
GONE: Final = "it is not there any more."
BROKEN: Final = "it could not be read."
LARGE: Final = "a picture that is too large to look at (at most 20 megapixels and 10 MiB)."
# How long nobody tries again what the parser gave up on: each step of a turn would wait for it.
TRY_AGAIN: Final = 3600  # seconds
EARLIER: Final = "a picture from earlier in the conversation; it is not shown again."


def tell_files(
    organisation_id: UUID, files: Iterable[FilePart], *, pictures: Collection[str]
) -> dict[str, Part]:
    """By ``file_id``: a file part with its bytes, or a text part "File NAME: …".

    Of pictures only those in ``pictures`` are shown. Reads files and may run the parser: not to
    be called in a transaction.
    """
    wanted = {part.file_id: part for part in files if part.file_id}
    with in_tenant(organisation_id):
        keys = [key for key in map(parse_id, wanted) if key]
        found = StoredFile.objects.filter(organisation_id=organisation_id, pk__in=keys)
        rows = {str(row.pk): row for row in found}
    return {
        key: _tell(rows[key], key in pictures) if key in rows else _note(part.filename, GONE)
        for key, part in wanted.items()
    }


def _tell(row: StoredFile, show: bool) -> Part:
    try:
        if not row.is_picture:
            return _note(row.filename, text_of_file(row))
        if not show:
            return _note(row.filename, EARLIER)
        pixels = row.meta.get("width", 0) * row.meta.get("height", 0)
        if row.size > PICTURE_BYTES or not 0 < pixels <= PICTURE_PIXELS:
            return _note(row.filename, LARGE)
        with open_file(row) as file:
            return part_of(row, file.read())
    except (StoredFileNotFound, OSError):
        return _note(row.filename, GONE)


def _note(name: str | None, text: str) -> TextPart:
    between = "\n" if "\n" in text or len(text) > 200 else " "
    # Some servers take one text only: what is joined there must still read as parts.
    return TextPart(f"\n\nFile {name or 'file'}:{between}{text}\n")


def text_of_file(row: StoredFile) -> str:
    """At most 20,000 characters of what can be read in it, or why nothing can; kept on the row."""
    if row.text is not None:
        return row.text
    given_up = f"file-given-up:{row.pk}"
    if told := cache.get(given_up):
        return str(told)
    if not connection.in_atomic_block:
        connection.close()  # the parser takes its time; the pool has others to serve
    try:
        text = _cut(_read(row))
    except ParseFailed as failure:
        text = f"{BROKEN} {failure.user_message}"
        if failure.code in {"stopped", "crashed", "timeout"}:
            if failure.code != "stopped":
                cache.set(given_up, text, TRY_AGAIN)
            return text  # another time it may be read
    except (StoredFileNotFound, OSError):
        return GONE
    except Exception:
        logger.exception("file %s could not be read", row.pk)
        return BROKEN
    row.text = text
    with in_tenant(row.organisation_id):
        StoredFile.objects.filter(pk=row.pk, organisation_id=row.organisation_id).update(text=text)
    return text


def _read(row: StoredFile) -> str:
    with open_file(row) as file:
        if row.media_type in PLAIN:
            return _plain(file.read(_PLAIN_BYTES))
        data = file.read()
    document = parse_in_sandbox(data, filename=row.filename)
    numbered = len(document.pages) > 1
    return "\n\n".join(
        f"[page {page.number}]\n{page.text}" if page.number and numbered else page.text
        for page in document.pages
        if page.text.strip()
    )


def _plain(data: bytes) -> str:
    """Text whose last character the limit may have cut."""
    for cut in range(4 if len(data) == _PLAIN_BYTES else 0):
        try:
            return data[: len(data) - cut].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
    return decode(data)


def _cut(text: str) -> str:
    whole = clean_text(text).strip()
    if not whole:
        return "there is no text in it."
    return whole if len(whole) <= TEXT_LIMIT else f"{whole[:TEXT_LIMIT]}\n… (the rest is left out)"
