"""The board: steps of everybody by status. A page, what has changed on it, and moving a card."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from flows_app.access import access_flow, access_step, access_target, require_staff
from flows_app.errors import IllegalTransition, LessonNotFound, ReasonMissing
from flows_app.models import Flow, FlowStep, LessonTarget, Status
from flows_app.runtime.actors import Actor
from flows_app.services.board import MOST, PAGE, BoardColumn, board_of, card_of
from flows_app.services.filtering import Wanted
from flows_app.services.progress import update_flow_progress
from flows_app.views.board_changes import (
    changes_between,
    key_of,
    read_version,
    shown_of,
    version_of,
)
from flows_app.views.filters import asked_filter, asked_query, choices, number
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AccessDenied, AppError, Conflict, InvalidInput
from one_project.common.ids import new_id
from one_project.common.pages import wants_json


@require_safe
@member_required
def board(request: MemberRequest) -> HttpResponse:
    """The page; ``flow`` narrows it to one."""
    require_staff(request.user, request.organisation)
    query = asked_query(request)
    wanted, flow = asked_board(request, query)
    columns = board_of(request.organisation, wanted, by=request.user, shown={})
    context = {
        **_context(query, columns, {}),
        **choices(request),
        "lists": [[shown_of(card) for card in column.cards] for column in columns],
        "flow": flow,
        "flows": Flow.objects.active().filter(organisation=request.organisation).order_by("name"),
        "wanted": wanted,
    }
    context["version"] = version_of(context["lists"])
    context["filled"] = list(zip(columns, context["lists"], strict=True))
    return render(request, "flows/board.html", context)


@require_safe
@member_required
def board_part(request: MemberRequest) -> HttpResponse:
    """What has changed since ``v``; ``more`` names a column to show more of. 204 for nothing."""
    require_staff(request.user, request.organisation)
    shown = _shown(request)
    more = request.GET.get("more", "")
    if more in Status.values:
        shown[more] = min(shown.get(more, PAGE) + PAGE, MOST)
    asking = request.GET.getlist("asking")[:50]
    return _changes(request, shown, asking)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def move_card(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """GET gives the card. POST moves it ``to``; what needs a reason asks for it in the card."""
    require_staff(request.user, request.organisation, LessonNotFound)
    target = access_target(request.user, request.organisation, target_id)
    step = access_step(target, step_key)
    if request.method != "POST":
        return _card(request, target, step)
    to, reason = request.POST.get("to", ""), request.POST.get("reason")
    now = card_of(target, step)
    if to == now.status and reason is None:
        return HttpResponse(status=204)
    try:
        if to not in Status.values:
            raise IllegalTransition(f"This step is {now.status}: it can become {_or(now.ways)}.")
        update_flow_progress(
            target,
            step,
            to,
            by=Actor(user=request.user),
            reason=reason or "",
            notes=request.POST.get("notes", ""),
            version=number(request.POST.get("version")),
            request_id=request.POST.get("request_id", "")[:64].replace("\x00", "") or None,
        )
    except ReasonMissing as error:
        if wants_json(request):
            raise
        # Chosen from the menu it is a question, not a mistake.
        return _card(request, target, step, to=to, error=error if reason is not None else None)
    except (InvalidInput, Conflict, AccessDenied) as error:
        if wants_json(request):
            raise
        return _card(request, target, step, to=to, reason=reason, error=error)
    if request.headers.get("HX-Request") != "true":
        return redirect("flows:board")
    own = key_of(target.pk, step.key)
    asking = [key for key in request.POST.getlist("asking")[:50] if key != own]
    return _changes(request, _shown(request), asking, said=f"{step.name}: {to}")


def asked_board(request: MemberRequest, query: QueryDict) -> tuple[Wanted, Flow | None]:
    """The filters, and the flow they name. Raises FlowNotFound."""
    wanted = asked_filter(query)
    asked = query.get("flow")
    if not asked:
        return wanted, None
    flow = access_flow(request.user, request.organisation, asked)
    fields = {name: getattr(wanted, name) for name in Wanted.__dataclass_fields__}
    return Wanted(**{**fields, "flow_id": flow.pk}), flow


def _changes(
    request: MemberRequest, shown: dict[str, int], asking: list[str], said: str = ""
) -> HttpResponse:
    """From what the page has, ``v``, to what there is; a page that is unknown loads anew."""
    query = asked_query(request)
    wanted, _ = asked_board(request, query)
    columns = board_of(request.organisation, wanted, by=request.user, shown=shown)
    given = request.POST if request.method == "POST" else request.GET
    version = given.get("v", "")
    seen = read_version(version, len(columns))
    if seen is None:
        response = HttpResponse(status=204)
        response.headers["HX-Refresh"] = "true"
        return response
    changes = changes_between(seen, columns, asking=asking)
    counts = _counts(columns)
    if changes.version == version and given.get("counts") == counts and not said:
        return HttpResponse(status=204)
    context = {**_context(query, columns, shown), "changes": changes, "said": said}
    return render(request, "flows/_board_changes.html", {**context, "version": changes.version})


def _context(query: QueryDict, columns: list[BoardColumn], shown: dict[str, int]) -> dict[str, Any]:
    return {
        "columns": columns,
        "counts": _counts(columns),
        "shown": ".".join(str(shown.get(status, PAGE)) for status in Status.values),
        "query": query.urlencode(),
    }


def _counts(columns: list[BoardColumn]) -> str:
    """As the page shows them, with whether there is more to show."""
    return ".".join(f"{one.count}{'m' if one.has_more else ''}" for one in columns)


def _shown(request: MemberRequest) -> dict[str, int]:
    given = request.POST if request.method == "POST" else request.GET
    numbers = [number(one, MOST) or PAGE for one in given.get("shown", "")[:60].split(".")]
    return dict(zip(Status.values, numbers, strict=False))


def _card(
    request: MemberRequest,
    target: LessonTarget,
    step: FlowStep,
    *,
    to: str = "",
    reason: str | None = None,
    error: AppError | None = None,
) -> HttpResponse:
    """The card as it is; with ``to`` it asks why, unless it could not become that anyway."""
    card = card_of(target, step)
    needs_reason = to in card.ways and (
        to in {Status.BLOCKED, Status.SKIPPED} or card.status in {Status.COMPLETED, Status.SKIPPED}
    )
    is_asking = needs_reason or reason is not None
    context = {
        "one": shown_of(card),
        "to": to if is_asking else "",
        "ways": card.ways,
        "reason": reason or "",
        "error": error,
        "request_id": str(new_id()),
    }
    if request.headers.get("HX-Request") != "true":
        return redirect("flows:cell", target.pk, step.key)
    status = error.status if error else 200
    response = render(request, "flows/_board_card_answer.html", context, status=status)
    response.headers["HX-Reswap"] = "outerHTML"
    return response


def _or(names: tuple[str, ...]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
