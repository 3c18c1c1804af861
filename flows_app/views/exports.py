"""CSV of what matrix and board show, sent as it is made."""

from uuid import UUID

from django.http import HttpResponseBase
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from flows_app.access import access_flow, require_staff
from flows_app.services.csv_export import export_board, export_matrix
from flows_app.views.board import asked_board
from flows_app.views.filters import asked_filter, asked_query
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.csv_files import csv_response


@require_safe
@member_required
def matrix_csv(request: MemberRequest, flow_id: UUID) -> HttpResponseBase:
    flow = access_flow(request.user, request.organisation, flow_id)
    wanted = asked_filter(asked_query(request))
    return csv_response(request, export_matrix(flow, wanted, by=request.user), dated(flow.name))


@require_safe
@member_required
def board_csv(request: MemberRequest) -> HttpResponseBase:
    require_staff(request.user, request.organisation)
    wanted, flow = asked_board(request, asked_query(request))
    pieces = export_board(request.organisation, wanted, by=request.user)
    return csv_response(request, pieces, dated(f"board {flow.name}" if flow else "board"))


def dated(name: str) -> str:
    """A name of a file: today's date is part of it."""
    return f"{name[:80] or 'flow'}-{now():%Y-%m-%d}"
