"""The page itself: people and threads, a thread, and what is behind one thing in it."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from chat_app.access import access_message
from chat_app.models import TrialKind
from chat_app.services.playground import access_answer, open_thread, past_turn
from chat_app.services.playground_raw import (
    calls_of_answer,
    calls_of_message,
    calls_of_turn,
    message_json,
    turn_json,
)
from chat_app.services.playground_reading import (
    latest_trials,
    people,
    thread_sums,
    threads_of,
    view_thread,
)
from chat_app.views.answers import is_htmx
from chat_app.views.playground.asked import asked_threads
from chat_app.views.playground.composer import Composer, Place, first_composer, place_of
from chat_app.views.playground.guard import staff_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.text import clean_line


@require_safe
@staff_required
def playground(request: MemberRequest) -> HttpResponse:
    """People, their threads, and a composer for a question of its own."""
    return show(request, Place())


@require_safe
@staff_required
def threads(request: MemberRequest) -> HttpResponse:
    """The list of threads as a fragment: filtered, or its next page."""
    return render(request, "playground/_thread_list.html", _list(request))


@require_safe
@vary_on_headers("HX-Request")
@staff_required
def thread(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """A thread with what it took; ``turn`` puts a past turn into the composer."""
    turn = clean_line(request.GET.get("turn"), 64)
    place = place_of(request, str(thread_id), turn)
    if is_htmx(request) and request.GET.get("before"):
        context = {"thread": place.thread, "view": _view(request, place)}
        return render(request, "playground/_messages.html", context)
    return show(request, place)


@require_safe
@vary_on_headers("HX-Request")
@staff_required
def message(request: MemberRequest, thread_id: UUID, message_id: UUID) -> HttpResponse:
    """One message as it is stored, and the raw model calls that made it."""
    found = open_thread(request.organisation, thread_id, by=request.user)
    row = access_message(found, message_id)
    detail = {
        "title": f"Message {row.position}",
        "json": message_json(row),
        "calls": calls_of_message(found, row),
    }
    return _detail(request, Place(found), detail)


@require_safe
@vary_on_headers("HX-Request")
@staff_required
def turn(request: MemberRequest, thread_id: UUID, turn_id: UUID) -> HttpResponse:
    """One turn as it is stored, and all its raw model calls."""
    found = open_thread(request.organisation, thread_id, by=request.user)
    row = past_turn(found, turn_id)
    detail = {"title": "Turn", "json": turn_json(row), "calls": calls_of_turn(found, row)}
    return _detail(request, Place(found), detail)


@require_safe
@vary_on_headers("HX-Request")
@staff_required
def answer(request: MemberRequest, answer_id: UUID) -> HttpResponse:
    """The raw model calls behind one answer of a trial."""
    row = access_answer(request.organisation, answer_id, by=request.user)
    shown = {
        "id": str(row.pk),
        "status": row.status,
        "model": row.answered_by or row.model,
        "prompt": row.prompt,
        "text": row.text,
        "reasoning": row.reasoning,
        "tools": row.tools,
        "finish_reason": row.finish_reason,
        "options": row.trial.options,
        "error": row.error,
        "error_code": row.error_code,
    }
    calls = calls_of_answer(request.organisation, row.calls)
    place = place_of(request, str(row.trial.thread_id or ""), "")
    return _detail(request, place, {"title": "Answer of a trial", "json": shown, "calls": calls})


def show(
    request: MemberRequest,
    place: Place,
    *,
    composer: Composer | None = None,
    detail: dict[str, Any] | None = None,
    status: int = 200,
    **result: Any,
) -> HttpResponse:
    """The whole page; ``result``: a preview, or a notice of what was asked in the thread."""
    agent = clean_line(request.GET.get("agent"), 200)
    context = {
        **_list(request),
        "people": people(request.organisation),
        "thread": place.thread,
        "view": _view(request, place) if place.thread else None,
        "spent": thread_sums(place.thread) if place.thread else [],
        "composer": composer or first_composer(request, place, agent=agent),
        "detail": detail,
        "trials": latest_trials(request.organisation, TrialKind.RUN, thread=place.thread),
        **result,
    }
    return render(request, "playground/page.html", context, status=status)


def _list(request: MemberRequest) -> dict[str, Any]:
    asked = asked_threads(request)
    page = threads_of(
        request.organisation, person=asked.person, query=asked.query, cursor=asked.cursor
    )
    return {"asked": asked, "threads": page}


def _view(request: MemberRequest, place: Place) -> Any:
    assert place.thread is not None
    return view_thread(place.thread, cursor=request.GET.get("before", "")[:300] or None)


def _detail(request: MemberRequest, place: Place, detail: dict[str, Any]) -> HttpResponse:
    if is_htmx(request):
        return render(request, "playground/_detail.html", {"detail": detail})
    return show(request, place, detail=detail)
