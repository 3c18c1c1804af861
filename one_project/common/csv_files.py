"""CSV that spreadsheets may open: made in pieces, sent as they are made, nothing of it kept."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.text import slugify

from one_project.common.database import in_thread

# So that spreadsheets take it for UTF-8.
BOM: Final = "\ufeff"
# What a spreadsheet may take for the beginning of a formula, also where blanks stand before it.
FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")
PIECE: Final = 64 * 1024
_END: Final = b""


def safe_cell(value: object) -> object:
    """``value`` as a spreadsheet may read it: texts that look like a formula get an apostrophe.

    Numbers, also Decimals, stay what they are; None is empty; booleans are ``yes`` and ``no``.
    """
    if isinstance(value, str):
        return value if value[:1].isalnum() and "\x00" not in value else _safe_text(value)
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _safe_text(value: str) -> str:
    text = value.replace("\x00", "")
    risky = text.startswith(FORMULA) or text.lstrip(" \u00a0").startswith(FORMULA)
    return f"'{text}" if risky else text


def csv_pieces(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """The file in pieces of about 64 KiB."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(BOM)
    writer.writerow([safe_cell(value) for value in head])
    for row in rows:
        writer.writerow([safe_cell(value) for value in row])
        if buffer.tell() >= PIECE:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def csv_response(request: HttpRequest, pieces: Iterator[bytes], name: str) -> StreamingHttpResponse:
    """A file to save, called ``name``; no more of it than a piece is held.

    ``pieces`` must not keep a transaction open from one piece to the next: each is made in a thread
    of its own choosing, with a connection that is given back after it.
    """
    # Under ASGI a plain iterator would be read to its end before the first byte leaves.
    content: Any = _in_threads(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    disposition = content_disposition_header(True, f"{slugify(name)[:100] or 'file'}.csv")
    response.headers["Content-Disposition"] = disposition or "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each piece is made in a thread, which gives its connection back."""
    while piece := await in_thread(next, pieces, _END):
        yield piece
