"""Who takes part in a thread: seeing, adding and removing people."""

from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from chat_app.access import access_thread
from chat_app.forms import posted_ids
from chat_app.models import Thread, ThreadParticipant
from chat_app.services.threads import add_participants, remove_participant
from chat_app.views.answers import go_to, is_htmx
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import Membership, User
from one_project.common.errors import InvalidInput, NotFound
from one_project.common.text import clean_line

# How many people the dialog offers at once; its search box finds the others.
OFFERED = 50


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
@member_required
def people(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """GET shows who takes part and who could (``q`` searches); POST adds ``member`` ids."""
    thread = access_thread(request.user, thread_id)
    if request.method == "POST":
        wanted = posted_ids(request, "member")
        if not wanted:
            raise InvalidInput("Please choose at least one person.")
        found = list(User.objects.filter(pk__in=wanted))
        if len(found) != len(set(wanted)):
            raise NotFound
        add_participants(thread, user=request.user, people=found)
        if not is_htmx(request):
            return go_to(request, f"/chat/{thread.pk}/people/")
    return _people(request, thread)


@require_POST
@member_required
def remove_person(request: MemberRequest, thread_id: UUID, user_id: UUID) -> HttpResponse:
    """Take a person out of the thread; oneself: leave it."""
    thread = access_thread(request.user, thread_id)
    part = thread.participants.select_related("user").filter(user_id=user_id).first()
    if part is None or part.user is None:
        raise NotFound("This person does not take part in the thread.")
    remove_participant(thread, user=request.user, person=part.user)
    if part.user_id == request.user.pk:
        return go_to(request, "/chat/")
    if not is_htmx(request):
        return go_to(request, f"/chat/{thread.pk}/people/")
    return _people(request, thread)


def _people(request: MemberRequest, thread: Thread) -> HttpResponse:
    query = clean_line(request.GET.get("q"), 100)
    candidates = _candidates(thread, query)
    context = {
        "thread": thread,
        "participants": thread.participants.filter(user__isnull=False)
        .select_related("user")
        .order_by("created_at"),
        "candidates": candidates[:OFFERED],
        "more": len(candidates) > OFFERED,
        "query": query,
        "may_remove": thread.created_by_id == request.user.pk or request.membership.is_admin,
    }
    name = "chat/_people.html" if is_htmx(request) else "chat/people.html"
    return render(request, name, context)


def _candidates(thread: Thread, query: str) -> list[Membership]:
    """Active members of the organisation who do not take part yet, one more than is offered."""
    takes_part = ThreadParticipant.objects.filter(thread=thread, user=OuterRef("user"))
    members = (
        Membership.objects.active()
        .filter(~Exists(takes_part), organisation=thread.organisation_id)
        .select_related("user")
    )
    if query:
        members = members.filter(Q(user__name__icontains=query) | Q(user__email__icontains=query))
    return list(members.order_by("user__name", "user__email")[: OFFERED + 1])
