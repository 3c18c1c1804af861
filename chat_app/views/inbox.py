"""The inbox: all that waits for the person, on one page; people who help, and tasks."""

from uuid import UUID

from django.contrib import messages as notices
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from chat_app.access import access_escalation, access_task, access_thread, is_staff_of
from chat_app.services.escalations import escalate, hand_back, take_over
from chat_app.services.inbox import read_inbox
from chat_app.services.tasks import tick_off
from chat_app.views.answers import go_to, go_to_thread
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import Role
from one_project.common.errors import AccessDenied

ASKED = "Asked for by a person in the thread."


def helps_others(request: MemberRequest) -> bool:
    """Whether the person is staff or above in this organisation."""
    return request.membership.role != Role.MEMBER


@require_safe
@member_required
def inbox(request: MemberRequest) -> HttpResponse:
    found = read_inbox(request.user, request.organisation, is_staff=helps_others(request))
    return render(request, "chat/inbox.html", {"inbox": found})


@require_POST
@member_required
def call_person(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """Ask for a person of the staff; asking again changes nothing."""
    thread = access_thread(request.user, thread_id)
    escalate(thread, reason=ASKED, user=request.user)
    notices.success(request, "A person has been asked to come. They will find you in this thread.")
    return go_to_thread(request, thread)


@require_POST
@member_required
def take(request: MemberRequest, escalation_id: UUID) -> HttpResponse:
    """Take the thread over, and go there."""
    escalation = access_escalation(request.user, request.organisation, escalation_id)
    return go_to_thread(request, take_over(escalation, by=request.user))


@require_POST
@member_required
def give_back(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """Let the agents answer again: by who has taken over, or by staff who take part."""
    thread = access_thread(request.user, thread_id)
    may = thread.handled_by_id == request.user.pk
    if not may and not is_staff_of(request.user, thread.organisation):
        raise AccessDenied("Only the person who has taken over, or staff, can hand it back.")
    hand_back(thread, by=request.user)
    if request.POST.get("next") == "inbox":
        return go_to(request, "/chat/inbox/")
    return go_to_thread(request, thread)


@require_POST
@member_required
def tick(request: MemberRequest, task_id: UUID) -> HttpResponse:
    """Mark a task done (``done`` 1), or to be done again (0)."""
    task = access_task(request.user, request.organisation, task_id)
    tick_off(task, done=request.POST.get("done", "1") != "0")
    return go_to(request, "/chat/inbox/")
