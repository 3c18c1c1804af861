"""Stored files on their way to a browser, for whoever has looked at the rights before."""

import asyncio
from collections.abc import AsyncIterator
from typing import IO, Final

from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from agents_app.models import StoredFile
from agents_app.services.files import open_file

CHUNK: Final = 256 * 1024
# A file opens nothing and asks for nothing, whatever a browser takes it for.
POLICY: Final = "default-src 'none'; sandbox"
BYTES: Final = "application/octet-stream"


def served_file(
    request: HttpRequest,
    row: StoredFile,
    *,
    media_type: str = BYTES,
    as_attachment: bool = True,
    cached: str = "no-store",
) -> HttpResponseBase:
    """The file; by default to be saved and never shown. cached: how long this browser may keep it.

    A file that is lost is told before the answer begins.
    """
    file = open_file(row)
    response: StreamingHttpResponse
    if isinstance(request, ASGIRequest):
        # Otherwise all of it would be read before the first byte leaves.
        response = StreamingHttpResponse(_Pieces(file), content_type=media_type)
    else:
        response = FileResponse(file, content_type=media_type)
    response.headers["Content-Length"] = str(row.size)
    disposition = content_disposition_header(as_attachment, row.filename)
    response.headers["Content-Disposition"] = disposition or "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = f"private, {cached}"
    return response


class _Pieces:
    """The file piece by piece, without holding up the server; the response closes it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(self._file.read, CHUNK):
            yield piece

    def close(self) -> None:
        self._file.close()
