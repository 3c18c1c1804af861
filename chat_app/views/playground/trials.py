"""Trying something: a preview, a run, its progress, its end, and what came of it as a file."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.errors import AgentNotFound, InvalidFields
from billing_app.errors import BudgetExceeded, RateLimited
from chat_app.models import Trial, TrialAnswer, TrialStatus
from chat_app.services.playground import (
    Asked,
    access_trial,
    find_agent,
    save_to_thread,
    start_trial,
    stop_trial,
)
from chat_app.services.playground_export import as_csv, as_json
from chat_app.services.playground_options import dump_options
from chat_app.services.playground_reading import stored_answer
from chat_app.services.playground_requests import preview
from chat_app.views.answers import go_to, is_htmx
from chat_app.views.playground.asked import PostedTrial, posted_trial
from chat_app.views.playground.composer import (
    Place,
    Wanted,
    effective_options,
    place_of,
    read_composer,
    sent_composer,
)
from chat_app.views.playground.guard import staff_required
from chat_app.views.playground.pages import show
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line

ONE_MODEL = "A thread has one answer: please name one model, or untick “Save to thread”."


@require_POST
@staff_required
def try_out(request: MemberRequest) -> HttpResponse:
    """``action`` preview or run. What is wrong stands beside its field, and the text is kept."""
    posted = posted_trial(request)
    place = place_of(request, posted.thread, posted.turn)
    try:
        wanted = read_composer(request, place, posted)
        if posted.action == "preview":
            previews = [preview(question) for question in wanted.questions]
            return _workbench(request, place, posted, previews=previews)
        if posted.save:
            return _save(request, place, posted, wanted)
    except InvalidFields as error:
        return _workbench(request, place, posted, errors=error.fields, status=error.status)
    trial = start_trial(
        request.organisation,
        by=request.user,
        agent=wanted.agent,
        asked=[
            Asked(position=n, model=model, prompt=wanted.prompt)
            for n, model in enumerate(wanted.models)
        ],
        thread=place.thread,
        turn=place.turn,
        prompt=wanted.prompt,
        options=dump_options(wanted.options),
    )
    if not is_htmx(request):
        return go_to(request, f"/playground/trials/{trial.pk}/")
    return _workbench(request, place, posted, **_shown(trial))


def _save(
    request: MemberRequest, place: Place, posted: PostedTrial, wanted: Wanted
) -> HttpResponse:
    """An ordinary turn in the thread."""
    problem, status = "", 422
    if place.thread is None:
        problem = "Please choose a thread first."
    elif len(wanted.models) > 1:
        problem = ONE_MODEL
    else:
        try:
            save_to_thread(
                place.thread,
                by=request.user,
                agent=wanted.agent,
                prompt=wanted.prompt,
                options=wanted.questions[0].options,
                key=posted.client_key,
            )
        except (InvalidInput, RateLimited, BudgetExceeded) as error:
            problem, status = error.user_message, error.status
    if problem:
        errors = {"save": problem}
        return _workbench(request, place, posted, errors=errors, status=status)
    return _workbench(request, place, posted, saved=place.thread)


def _workbench(
    request: MemberRequest,
    place: Place,
    posted: PostedTrial,
    *,
    errors: dict[str, str] | None = None,
    status: int = 200,
    **result: Any,
) -> HttpResponse:
    """The composer as it was sent, and what came of it below."""
    composer = sent_composer(request, place, posted, errors)
    if is_htmx(request):
        context = {"composer": composer, "thread": place.thread, **result}
        return render(request, "playground/_workbench.html", context, status=status)
    return show(request, place, composer=composer, status=status, **result)


@require_safe
@staff_required
def system(request: MemberRequest) -> HttpResponse:
    """The system prompt that ``agent`` has by itself, as a fragment: choosing one, and Reset."""
    asked = request.GET
    place = place_of(
        request, clean_line(asked.get("thread"), 64), clean_line(asked.get("turn"), 64)
    )
    value = error = ""
    try:
        wanted = clean_line(asked.get("agent"), 200)
        agent = find_agent(request.organisation, request.user, wanted, also=place.agent)
        value = effective_options(request, place, agent).instructions or ""
    except (AgentNotFound, InvalidFields) as problem:
        error = problem.user_message if value or wanted else ""
    return render(request, "playground/_system.html", {"system": value, "error": error})


@require_safe
@vary_on_headers("HX-Request")
@staff_required
def trial(request: MemberRequest, trial_id: UUID) -> HttpResponse:
    """What was tried. htmx gets the part that changes; 204 while it is the version ``v``."""
    found = access_trial(request.organisation, trial_id, by=request.user)
    context = _shown(found)
    if not is_htmx(request):
        return render(request, "playground/trial.html", context)
    if context["is_open"] and request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    return render(request, "playground/_trial.html", context)


@require_POST
@staff_required
def stop(request: MemberRequest, trial_id: UUID) -> HttpResponse:
    """End what is not answered yet."""
    found = access_trial(request.organisation, trial_id, by=request.user)
    stop_trial(found)
    if is_htmx(request):
        return render(request, "playground/_trial.html", _shown(found))
    return go_to(request, f"/playground/trials/{found.pk}/")


@require_safe
@staff_required
def export(request: MemberRequest, trial_id: UUID) -> HttpResponse:
    """All answers as a file: ``format=csv`` (the default) or ``json``."""
    found = access_trial(request.organisation, trial_id, by=request.user)
    kind = "json" if request.GET.get("format") == "json" else "csv"
    if kind == "json":
        response = HttpResponse(as_json(found), content_type="application/json")
    else:
        response = HttpResponse(as_csv(found), content_type="text/csv; charset=utf-8")
    name = f"trial-{found.created_at:%Y%m%d-%H%M%S}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _shown(trial: Trial) -> dict[str, Any]:
    answers = list(trial.answers.order_by("position", "side"))
    done = sum(not answer.is_open for answer in answers)
    running = sum(answer.status == TrialStatus.RUNNING for answer in answers)
    return {
        "trial": trial,
        "answers": answers,
        "rows": _rows(answers) if trial.is_comparison else [],
        "sums": _sums(trial, answers) if trial.is_comparison else [],
        "stored": stored_answer(trial.turn) if trial.turn else None,
        "total": len(answers),
        "done": done,
        "is_open": done < len(answers),
        "version": f"{done}.{running}",
    }


def _rows(answers: Sequence[TrialAnswer]) -> list[list[TrialAnswer]]:
    """Both answers to each input."""
    rows: dict[int, list[TrialAnswer]] = {}
    for answer in answers:
        rows.setdefault(answer.position, []).append(answer)
    return list(rows.values())


def _sums(trial: Trial, answers: Sequence[TrialAnswer]) -> list[dict[str, Any]]:
    """Of each version: how many passed of those that were checked, tokens, mean duration in ms."""
    sums = []
    for side, version in enumerate(trial.versions):
        mine = [answer for answer in answers if answer.side == side]
        ended = [answer for answer in mine if answer.status == TrialStatus.SUCCESS]
        costs = [answer.cost_micros for answer in ended if answer.cost_micros is not None]
        sums.append(
            {
                "letter": "AB"[side],
                "label": version["label"],
                "text": version["text"],
                "passed": sum(answer.passed is True for answer in mine),
                "checked": sum(answer.passed is not None for answer in mine),
                "failed": sum(answer.status == TrialStatus.FAILED for answer in mine),
                "tokens": sum(answer.total_tokens for answer in mine),
                "cost": sum(costs) if ended and len(costs) == len(ended) else None,
                "mean_ms": sum(one.duration_ms for one in ended) // len(ended) if ended else None,
            }
        )
    return sums
