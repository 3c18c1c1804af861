"""What staff do to a run: cancel, pause, resume, retry, restart, send it an event."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages as notices
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError, Conflict, InvalidInput
from one_project.common.pages import wants_json
from one_project.workflows.access import access_run
from one_project.workflows.forms import PostedEvent, posted_event, posted_step
from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.reading import first_failed_step
from one_project.workflows.services.runs import (
    cancel_run,
    pause_run,
    restart_run,
    resume_run,
    send_event,
)
from one_project.workflows.views.runs import show_run


@require_POST
@member_required
def cancel(request: MemberRequest, run_id: UUID) -> HttpResponse:
    run = access_run(request.user, run_id, manage=True)
    return _done(request, run, lambda: cancel_run(run), "Canceled.")


@require_POST
@member_required
def pause(request: MemberRequest, run_id: UUID) -> HttpResponse:
    run = access_run(request.user, run_id, manage=True)
    return _done(request, run, lambda: pause_run(run), "Paused. What runs now ends first.")


@require_POST
@member_required
def resume(request: MemberRequest, run_id: UUID) -> HttpResponse:
    run = access_run(request.user, run_id, manage=True)
    return _done(request, run, lambda: resume_run(run), "It goes on.")


@require_POST
@member_required
def retry(request: MemberRequest, run_id: UUID) -> HttpResponse:
    """Again from the first step that has no result; what came before is kept."""
    run = access_run(request.user, run_id, manage=True)
    return _done(
        request, run, lambda: restart_run(run, step=first_failed_step(run)), "It is tried again."
    )


@require_POST
@member_required
def restart(request: MemberRequest, run_id: UUID) -> HttpResponse:
    """Again from the step with the posted number."""
    run = access_run(request.user, run_id, manage=True)
    return _done(request, run, lambda: restart_run(run, step=posted_step(request)), "Restarted.")


@require_POST
@member_required
def event(request: MemberRequest, run_id: UUID) -> HttpResponse:
    """Send the run an event; what cannot be sent stays in the form."""
    run = access_run(request.user, run_id, manage=True)
    posted = posted_event(request)

    def send() -> object:
        return send_event(run, posted.name, posted.value(), key=posted.key or None)

    return _done(request, run, send, f"“{posted.name}” was sent.", event=posted)


def _done(
    request: MemberRequest,
    run: WorkflowRun,
    verb: Callable[[], object],
    notice: str,
    *,
    event: PostedEvent | None = None,
) -> HttpResponse:
    """Back to the run; where the verb is refused, its page says why."""
    htmx = request.headers.get("HX-Request") == "true"
    address = f"/workflows/{run.pk}/"
    try:
        verb()
    except (Conflict, InvalidInput) as error:
        if htmx or wants_json(request):
            raise
        return _refused(request, run, error, event)
    notices.success(request, notice)
    if htmx:
        return HttpResponseClientRedirect(address)
    response = redirect(address)
    response.status_code = 303
    return response


def _refused(
    request: MemberRequest, run: WorkflowRun, error: AppError, event: PostedEvent | None
) -> HttpResponse:
    fresh = access_run(request.user, run.pk, manage=True)
    return show_run(request, fresh, error=error, event=event)
