"""The matrix of a flow: people by steps. A page, the rows that follow, and what has changed."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from flows_app.access import access_flow
from flows_app.errors import LessonNotFound
from flows_app.models import Flow, Status
from flows_app.services.matrix import Cell, Matrix, Row, matrix_of
from flows_app.templatetags.work import GLYPHS, status_class
from flows_app.views.filters import asked_filter, asked_query, choices, number
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest

PAGE: Final = 100
# What a page can show of a flow; who wants more narrows it down or takes the CSV.
MOST: Final = 500
VERSION: Final = re.compile(r"[\w-]{12}(?:[\w-]{4})*", re.ASCII)
TOKEN: Final = re.compile(r"([\w-]{22})-(\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """A row as the page shows it. ``token`` names it in the page, ``digest`` all that it shows."""

    row: Row
    token: str
    digest: str
    # The element that comes after the steps of this one, for who skips them.
    after: str = "matrix-totals"

    @property
    def cells(self) -> SafeString:
        """Made here rather than in a template: there are thousands of them."""
        return mark_safe("".join(_td(self.token, cell) for cell in self.row.cells))  # noqa: S308

    @property
    def contents(self) -> list[tuple[str, SafeString]]:
        """What stands in each cell, by the id of its button."""
        return [
            (f"c{self.token}-{cell.position}", _content(cell)) for cell in self.row.cells if cell
        ]


@require_safe
@member_required
def matrix(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """The page. ``rows``: how many people at once, up to 500."""
    flow = access_flow(request.user, request.organisation, flow_id)
    query = asked_query(request)
    limit = max(min(number(request.GET.get("rows")) or PAGE, MOST), 1)
    context = _context(request, flow, query, limit)
    numbers = flow.revisions.exclude(published_at=None).order_by("-number")
    context |= {
        **choices(request),
        "flow": flow,
        "wanted": asked_filter(query),
        "revisions": list(numbers.values_list("number", flat=True)[:50]),
    }
    return render(request, "flows/matrix.html", context)


@require_safe
@member_required
def matrix_part(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """What has changed since version ``v``, or with ``more`` the rows after; 204 for nothing."""
    flow = access_flow(request.user, request.organisation, flow_id)
    query = asked_query(request)
    before = max(min(number(request.GET.get("shown")) or PAGE, MOST), 1)
    is_more = bool(request.GET.get("more"))
    context = _context(request, flow, query, min(before + PAGE, MOST) if is_more else before)
    lines: list[Line] = context["lines"]
    seen = request.GET.get("v", "")
    known = seen if VERSION.fullmatch(seen) else ""
    # The people it knows, in their order, must be the first of those there are now.
    same = known[:8] == _structure(context["matrix"], lines[:before] if is_more else lines)
    digests = [known[at : at + 4] for at in range(12, len(known), 4)]
    if not is_more and known == context["version"]:
        return HttpResponse(status=204)
    old = lines[: len(digests)] if same else []
    context |= {
        "flow": flow,
        "whole": not same,
        "changed": [line for line, was in zip(old, digests, strict=False) if line.digest != was],
        "added": lines[before:] if same and is_more else [],
    }
    return render(request, "flows/_matrix_changes.html", context)


def _context(request: MemberRequest, flow: Flow, query: QueryDict, limit: int) -> dict[str, Any]:
    wanted = asked_filter(query)
    shown = matrix_of(flow, wanted, by=request.user, offset=0, limit=limit)
    lines = [line_of(row) for row in shown.rows]
    ends = [f"n{line.token}" for line in lines[1:]] + ["matrix-totals"]
    lines = [replace(line, after=after) for line, after in zip(lines, ends, strict=False)]
    totals = _digest(repr((shown.count, shown.totals)), 3)
    version = _structure(shown, lines) + totals + "".join(line.digest for line in lines)
    return {
        "flow": flow,
        "matrix": shown,
        "lines": lines,
        "columns": list(zip(shown.columns, shown.totals, strict=True)),
        "left": min(shown.count, MOST) - len(lines),
        "is_cut": shown.count > MOST,
        "version": version,
        "shown": limit,
        "query": query.urlencode(),
    }


def line_of(row: Row) -> Line:
    said = (
        row.name,
        row.target.attempt,
        row.target.due_at,
        row.share.done,
        row.share.total,
        row.is_late,
        [cell and (cell.status, cell.is_late) for cell in row.cells],
    )
    token = urlsafe_b64encode(row.target.pk.bytes).decode().rstrip("=")
    return Line(row, token, _digest(repr(said), 3))


def read_token(text: str) -> tuple[UUID, int]:
    """Which target and which position of its revision a cell names. Raises LessonNotFound."""
    found = TOKEN.fullmatch(text)
    if found is None:
        raise LessonNotFound
    return UUID(bytes=urlsafe_b64decode(f"{found[1]}==")), int(found[2])


def _structure(shown: Matrix, lines: list[Line]) -> str:
    columns = [(one.key, one.name, one.is_current, one.is_required) for one in shown.columns]
    return _digest(repr((columns, [line.token for line in lines])), 6)


def _digest(text: str, size: int) -> str:
    return urlsafe_b64encode(blake2b(text.encode(), digest_size=size).digest()).decode()


def _td(token: str, cell: Cell | None) -> str:
    if cell is None:
        return '<td class="is-none"><span class="unseen">Not part of it</span></td>'
    key = f"{token}-{cell.position}"
    return f'<td><button id="c{key}" name="c" value="{key}">{_content(cell)}</button></td>'


def _content(cell: Cell) -> SafeString:
    return CONTENTS[cell.status, cell.is_late]


def _drawn(status: str, is_late: bool) -> SafeString:
    """Shape, word and colour; who has not begun is the rule and shows the shape only."""
    late = '<span class="unseen">, overdue</span>' if is_late else ""
    word = f'<span class="unseen">{status}</span>' if status == Status.NOT_STARTED else status
    kind = f"cell is-{status_class(status)}{' is-late' if is_late else ''}"
    glyph = f'<i aria-hidden="true">{GLYPHS[Status(status)]}</i>'
    return mark_safe(f'<span class="{kind}">{glyph}{word}{late}</span>')  # noqa: S308


CONTENTS: Final = {
    (status, is_late): _drawn(status, is_late)
    for status in Status.values
    for is_late in (False, True)
}
