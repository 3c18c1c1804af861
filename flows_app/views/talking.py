"""What begins at a step: a talk with its agent, a task for an agent, a workflow."""

from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from chat_app.views.answers import go_to
from flows_app.access import access_step, access_target
from flows_app.models import FlowStep, LessonTarget
from flows_app.runtime.actors import Actor
from flows_app.services.agent_steps import request_agent_task
from flows_app.services.step_threads import open_step_thread
from flows_app.services.workflow_steps import start_step_workflow
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest


@require_POST
@member_required
def talk(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """To the person's thread with the step's agent, which is opened once."""
    target, step = _asked(request, target_id, step_key)
    thread = open_step_thread(target, step, by=request.user)
    return go_to(request, f"/chat/{thread.pk}/")


@require_POST
@member_required
def ask_agent(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """Have an agent do the step, or try it again; back to the step."""
    target, step = _asked(request, target_id, step_key)
    request_agent_task(target, step, by=Actor(user=request.user))
    return go_to(request, _address(target, step))


@require_POST
@member_required
def run_workflow(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """Start the step's workflow, or start it again after it has failed; back to the step."""
    target, step = _asked(request, target_id, step_key)
    start_step_workflow(target, step, by=Actor(user=request.user))
    return go_to(request, _address(target, step))


def _asked(
    request: MemberRequest, target_id: UUID, step_key: UUID
) -> tuple[LessonTarget, FlowStep]:
    target = access_target(request.user, request.organisation, target_id)
    return target, access_step(target, step_key)


def _address(target: LessonTarget, step: FlowStep) -> str:
    return f"/lessons/{target.pk}/steps/{step.key}/"
