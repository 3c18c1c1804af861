"""What people send from the lesson player: each calls one service, and shows the step again."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages as notices
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect, reswap, retarget

from flows_app.access import access_step, access_target
from flows_app.errors import StaleProgress
from flows_app.forms.working import Posted, posted_step, posted_ticks, posted_uploads
from flows_app.models import FlowStep, LessonTarget, StepState
from flows_app.runtime.actors import Actor
from flows_app.runtime.dates import moment_of
from flows_app.runtime.transitions import DONE
from flows_app.services import claiming, handing_in, step_due, working
from flows_app.services.player import playing
from flows_app.views.player import is_fragment, pieces, show
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AccessDenied, Conflict, InvalidInput
from one_project.common.pages import wants_json

# What is told beside the form it came from; all else is a page of its own.
TOLD = (AccessDenied, Conflict, InvalidInput)
Verb = Callable[[LessonTarget, FlowStep, Actor, Posted], StepState]


@require_POST
@member_required
def claim(request: MemberRequest, target_id: UUID) -> HttpResponse:
    """Take work from a queue; what cannot be taken is told where it was offered."""
    target = access_target(request.user, request.organisation, target_id)
    try:
        claiming.claim(target, request.user)
    except Conflict as error:
        if wants_json(request):
            raise
        notices.error(request, error.user_message)
        return _go(request, reverse("lessons:mine"))
    return _go(request, reverse("lessons:player", args=[target.pk]))


@require_POST
@member_required
def done(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """Complete the step, or hand it in."""

    def verb(target: LessonTarget, step: FlowStep, by: Actor, posted: Posted) -> StepState:
        return working.mark_done(
            target,
            step,
            by=by,
            version=posted.version,
            notes=posted.notes,
            request_id=posted.request_id,
        )

    return _do(request, target_id, step_key, verb, form="done")


@require_POST
@member_required
def answers(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """Send the form, or (``keep``) keep it as a draft."""
    submit = "keep" not in request.POST

    def verb(target: LessonTarget, step: FlowStep, by: Actor, posted: Posted) -> StepState:
        return working.save_answers(
            target,
            step,
            posted.answers,
            by=by,
            version=posted.version,
            page=posted.page,
            submit=submit,
            notes=posted.notes,
            request_id=posted.request_id if submit else None,
        )

    return _do(request, target_id, step_key, verb, form="answers")


@require_POST
@member_required
def draft(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """Keep what is in the form so far, while it is being filled in; nothing of it is swapped."""
    target, step, by = _asked(request, target_id, step_key)
    posted = posted_step(request, step.fields)
    try:
        saved = working.save_draft_answers(
            target, step, posted.answers, by=by, version=posted.version, page=posted.page
        )
    except StaleProgress as error:
        play = playing(target, viewer=request.user, step_key=step.key)
        return pieces(request, play, work=False, error=error, page_id=posted.page)
    if not is_fragment(request):
        return _go(request, _address(target, step))
    play = playing(target, viewer=request.user, step_key=step.key)
    return pieces(request, play, saved=saved.problems, page_id=posted.page)


@require_POST
@member_required
def tick(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """Tick or untick an item; without htmx all items of the list at once."""
    target, step, by = _asked(request, target_id, step_key)
    posted = posted_step(request)
    ticked = posted_ticks(request, step.items)
    # One item changes nothing that somebody else has ticked; a whole list would.
    version = None if "item" in request.POST else posted.version
    try:
        state = working.tick_items(target, step, ticked, by=by, version=version)
    except TOLD as error:
        return retarget(
            reswap(show(request, target, step.key, error=error), "outerHTML"), "#lesson"
        )
    if not is_fragment(request):
        return _go_on(request, target, step, state)
    if state.status in DONE:
        return retarget(reswap(show(request, target, step.key), "outerHTML"), "#lesson")
    return pieces(request, playing(target, viewer=request.user, step_key=step.key), work=False)


@require_POST
@member_required
def upload(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """Keep the chosen files with the step."""
    files = posted_uploads(request)

    def verb(target: LessonTarget, step: FlowStep, by: Actor, posted: Posted) -> StepState:
        return handing_in.hand_in_files(target, step, files, by=by)

    return _do(request, target_id, step_key, verb, form="upload")


@require_POST
@member_required
def remove_file(
    request: MemberRequest, target_id: UUID, step_key: UUID, file_id: UUID
) -> HttpResponse:
    """Take a file out again."""

    def verb(target: LessonTarget, step: FlowStep, by: Actor, posted: Posted) -> StepState:
        return handing_in.take_file_out(target, step, file_id, by=by)

    return _do(request, target_id, step_key, verb, form="upload")


@require_POST
@member_required
def move(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """Begin, block, go on or skip; staff set whatever may follow, and open again."""

    def verb(target: LessonTarget, step: FlowStep, by: Actor, posted: Posted) -> StepState:
        return working.move_step(
            target,
            step,
            posted.status,
            by=by,
            reason=posted.reason,
            notes=posted.notes,
            version=posted.version,
            request_id=posted.request_id,
        )

    return _do(request, target_id, step_key, verb, form=request.POST.get("form", "move")[:10])


@require_POST
@member_required
def not_yet(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """Put an agent's word that the step is done aside."""

    def verb(target: LessonTarget, step: FlowStep, by: Actor, posted: Posted) -> StepState:
        return working.decline_proposal(target, step, by=by)

    return _do(request, target_id, step_key, verb, form="done")


@require_POST
@member_required
def take_back(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """Withdraw what waits for a review."""

    def verb(target: LessonTarget, step: FlowStep, by: Actor, posted: Posted) -> StepState:
        return handing_in.take_back(target, step, by=by)

    return _do(request, target_id, step_key, verb, form="done")


@require_POST
@member_required
def due(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """Staff set the date of this one step; empty: as the flow has it."""

    def verb(target: LessonTarget, step: FlowStep, by: Actor, posted: Posted) -> StepState:
        at = moment_of(posted.due, target.lesson.timezone, target.assigned_at)
        return step_due.set_step_due(target, step, at, by=by, reason=posted.reason)

    return _do(request, target_id, step_key, verb, form="due")


def _do(
    request: MemberRequest, target_id: UUID, step_key: UUID, verb: Verb, *, form: str
) -> HttpResponse:
    """Have it done, and show where to go on; what is refused is told in the page it came from."""
    target, step, by = _asked(request, target_id, step_key)
    posted = None
    try:
        posted = posted_step(request, step.fields)
        state = verb(target, step, by, posted)
    except TOLD as error:
        return show(request, target, step.key, error=error, posted=posted, form=form)
    return _go_on(request, target, step, state)


def _asked(
    request: MemberRequest, target_id: UUID, step_key: UUID
) -> tuple[LessonTarget, FlowStep, Actor]:
    target = access_target(request.user, request.organisation, target_id)
    return target, access_step(target, step_key), Actor(user=request.user)


def _go_on(
    request: MemberRequest, target: LessonTarget, step: FlowStep, state: StepState
) -> HttpResponse:
    """After the own step was completed to the next open one, else to the same step again."""
    if state.status not in DONE or target.user_id != request.user.pk:
        if is_fragment(request):
            return show(request, target, step.key)
        return _go(request, _address(target, step))
    notices.success(request, f"“{step.name}” is {state.status.lower()}.")
    play = playing(target, viewer=request.user, step_key=step.key)
    if play.next_open is None or play.share.is_complete:
        return _go(request, reverse("lessons:player", args=[target.pk]))
    return _go(request, _address(target, play.next_open.step))


def _address(target: LessonTarget, step: FlowStep) -> str:
    return reverse("lessons:step", args=[target.pk, step.key])


def _go(request: MemberRequest, address: str) -> HttpResponse:
    """303: the browser gets the page, whatever it sent before."""
    if is_fragment(request):
        return HttpResponseClientRedirect(address)
    response = redirect(address)
    response.status_code = 303
    return response
