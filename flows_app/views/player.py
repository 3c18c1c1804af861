"""The lesson player: the steps of one assignment, one of them open."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.errors import InvalidFields
from agents_app.views.serving import served_file
from flows_app.access import access_step, access_target
from flows_app.errors import StaleProgress
from flows_app.forms.working import ANSWER, Posted
from flows_app.models import LessonTarget, Status, StepKind
from flows_app.runtime.dates import day_of
from flows_app.services.handing_in import file_of_step
from flows_app.services.player import Playing, playing
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError
from one_project.common.ids import new_id
from one_project.common.pages import app_error_response, wants_json

# What begins a step that can be begun before it is finished.
BEGUN_BY_HAND = {StepKind.READING, StepKind.APPROVAL}


@require_safe
@vary_on_headers("Accept", "HX-Request")
@member_required
def lesson(request: MemberRequest, target_id: UUID) -> HttpResponse:
    """The first step that can be worked on; where all is done, what comes after it."""
    target = access_target(request.user, request.organisation, target_id)
    return show(request, target)


@require_safe
@vary_on_headers("Accept", "HX-Request")
@member_required
def step(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """One step."""
    target = access_target(request.user, request.organisation, target_id)
    return show(request, target, access_step(target, step_key).key)


@require_safe
@member_required
def live(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """The parts of the page that have changed; 204 while it shows what there is.

    ``v``: what it shows; ``status``: of the step; ``typable``: whether somebody may be typing in
    it: then what holds a box stays, and a line says that there is news.
    """
    target = access_target(request.user, request.organisation, target_id)
    play = playing(target, viewer=request.user, step_key=access_step(target, step_key).key)
    if request.GET.get("v") == play.version:
        return HttpResponse(status=204)
    shown, typable = request.GET.get("status", ""), request.GET.get("typable") == "1"
    has_moved = play.line is not None and play.line.status != shown
    if has_moved and typable:
        return pieces(request, play, news=shown)
    return pieces(request, play, desk=not typable)


@require_safe
@member_required
def file(
    request: MemberRequest, target_id: UUID, step_key: UUID, file_id: UUID
) -> HttpResponseBase:
    """A file that was handed in, to be saved; for its assignee and staff."""
    target = access_target(request.user, request.organisation, target_id)
    found = file_of_step(target, access_step(target, step_key), file_id, user=request.user)
    return served_file(request, found)


def show(
    request: MemberRequest,
    target: LessonTarget,
    step_key: UUID | None = None,
    *,
    error: AppError | None = None,
    posted: Posted | None = None,
    form: str = "",
) -> HttpResponse:
    """The page, or for htmx the lesson within it. ``error``: why ``posted`` (the page's ``form``)
    was refused; what was typed stays in its boxes."""
    if error is not None and wants_json(request):
        return app_error_response(request, error)
    play = playing(target, viewer=request.user, step_key=step_key)
    if wants_json(request):
        return JsonResponse(_as_json(play))
    context = context_of(play, error=error, posted=posted, form=form)
    context["is_fragment"] = is_fragment(request)
    template = "lessons/_lesson.html" if context["is_fragment"] else "lessons/player.html"
    return render(request, template, context, status=error.status if error else 200)


def pieces(
    request: MemberRequest,
    play: Playing,
    *,
    news: str = "",
    desk: bool = False,
    work: bool = True,
    error: AppError | None = None,
    saved: Mapping[str, str] | None = None,
    page_id: str = "",
) -> HttpResponse:
    """Parts of the page by their ids, for htmx to put in place.

    ``desk``: all that can be done there. Else ``work``: what was entered, unless it is a form that
    the person fills in. ``news``: the status that the page goes on showing, with a line that it is
    another one now. ``saved``: of a draft that was kept, what was not, by field.
    """
    context = context_of(play, error=error, page_id=page_id)
    line = play.line
    filling = play.may_work and line is not None and line.step.kind == StepKind.FORM
    stays = bool(desk or news or error)
    context |= {
        "shown": news or (line.status if line else ""),
        "news": news,
        "swap_desk": desk,
        "swap_work": work and not stays and not filling,
        # A form that is being filled in keeps the version it shows, but for its own saves.
        "swap_versions": not stays and (not filling or saved is not None),
        "version_kinds": _moves_shown(play),
        "saved": saved,
        "unsaved": [
            (one["label"], saved[one["id"]])
            for one in (line.step.fields if line and saved else [])
            if saved and one["id"] in saved
        ],
    }
    return render(request, "lessons/_pieces.html", context, status=error.status if error else 200)


def context_of(
    play: Playing,
    *,
    error: AppError | None = None,
    posted: Posted | None = None,
    form: str = "",
    page_id: str = "",
) -> dict[str, Any]:
    line = play.line
    return {
        "play": play,
        "target": play.target,
        "line": line,
        "step": line.step if line else None,
        "submission": line.submission if line else None,
        "page_id": page_id or (posted.page if posted else "") or str(new_id()),
        "request_id": str(new_id()),
        "problem": error.user_message if error and not isinstance(error, InvalidFields) else "",
        "problems": error.fields if isinstance(error, InvalidFields) else {},
        "is_stale": isinstance(error, StaleProgress),
        "posted": posted,
        "form": form,
        "rows": _rows(play, error, posted),
        "can_begin": bool(
            line
            and play.may_work
            and line.status == Status.NOT_STARTED
            and line.step.kind in BEGUN_BY_HAND
        ),
        "due_day": day_of(line.due_at, play.target.lesson.timezone) if line else "",
    }


def is_fragment(request: MemberRequest) -> bool:
    """Whether htmx asks for the lesson within its page (not the browser's way back to it)."""
    headers = request.headers
    return headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in headers


def _moves_shown(play: Playing) -> list[str]:
    """The forms of _step_moves.html that the page has, each with a version of its own."""
    line = play.line
    if line is None:
        return []
    may_move = play.own and play.is_live and not line.is_done and not line.locked
    shown = {
        "block": may_move and line.status != Status.BLOCKED,
        "skip": may_move and not line.step.is_required,
        "move": bool(play.moves),
    }
    return [kind for kind, is_there in shown.items() if is_there]


def _rows(play: Playing, error: AppError | None, posted: Posted | None) -> list[dict[str, Any]]:
    """The fields of a form step with what is in each; ``theirs``: what another has saved there."""
    line = play.line
    if line is None or line.step.kind != StepKind.FORM:
        return []
    kept = play.work.get("answers", {})
    problems = error.fields if isinstance(error, InvalidFields) else {}
    typed = posted.answers if posted and posted.answers else None
    rows = []
    for number, one in enumerate(line.step.fields, 1):
        saved = kept.get(one["id"], "")
        value = saved if typed is None else typed.get(one["id"], "")
        differs = typed is not None and str(value or "") != str(saved or "")
        rows.append(
            {
                **one,
                "number": number,
                "name": ANSWER + one["id"],
                "value": value,
                "problem": problems.get(one["id"], ""),
                "theirs": saved if differs and isinstance(error, StaleProgress) else None,
            }
        )
    return rows


def _as_json(play: Playing) -> dict[str, Any]:
    """Times in UTC, ISO 8601."""
    return {
        "id": str(play.target.pk),
        "flow": play.target.flow.name,
        "assignee": play.target.assignee_name,
        "attempt": play.target.attempt,
        "due_at": play.target.due_at,
        "ended": play.target.ended or None,
        "percent": play.share.percent,
        "done": play.share.done,
        "total": play.share.total,
        "open_step": str(play.line.step.key) if play.line else None,
        "steps": [
            {
                "key": str(one.step.key),
                "name": one.step.name,
                "kind": one.step.kind,
                "required": one.step.is_required,
                "status": one.status,
                "version": one.version,
                "locked": one.locked or None,
                "due_at": one.due_at,
                "rule": one.rule,
            }
            for one in play.lines
        ],
    }
