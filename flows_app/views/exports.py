"""CSV of what matrix and board show, sent as it is made."""

from collections.abc import AsyncIterator, Iterator
from typing import Final
from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from flows_app.access import access_flow, require_staff
from flows_app.services.csv_export import export_board, export_matrix
from flows_app.views.board import asked_board
from flows_app.views.filters import asked_filter, asked_query
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.database import in_thread

_END: Final = b""


@require_safe
@member_required
def matrix_csv(request: MemberRequest, flow_id: UUID) -> HttpResponseBase:
    flow = access_flow(request.user, request.organisation, flow_id)
    wanted = asked_filter(asked_query(request))
    return csv_response(request, export_matrix(flow, wanted, by=request.user), flow.name)


@require_safe
@member_required
def board_csv(request: MemberRequest) -> HttpResponseBase:
    require_staff(request.user, request.organisation)
    wanted, flow = asked_board(request, asked_query(request))
    pieces = export_board(request.organisation, wanted, by=request.user)
    return csv_response(request, pieces, f"board {flow.name}" if flow else "board")


def csv_response(
    request: MemberRequest, pieces: Iterator[bytes], name: str
) -> StreamingHttpResponse:
    """A file to save, called ``name`` and today's date; no more of it than a piece is held."""
    # Under ASGI a plain iterator would be read to its end before the first byte leaves.
    content = _in_threads(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    filename = f"{slugify(name)[:80] or 'flow'}-{now():%Y-%m-%d}.csv"
    disposition = content_disposition_header(True, filename)
    response.headers["Content-Disposition"] = disposition or "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each piece is made in a thread, which gives its connection back."""
    while piece := await in_thread(next, pieces, _END):
        yield piece
