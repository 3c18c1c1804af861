"""Saying something, asking again, changing a question, stopping an answer."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.access import access_agent
from billing_app.errors import BudgetExceeded, RateLimited
from chat_app.access import access_message, access_thread
from chat_app.errors import TurnOver
from chat_app.forms import posted_message
from chat_app.live.calls import attach_calls
from chat_app.models import MessageKind, Turn
from chat_app.services.conversation import send_agent_message
from chat_app.services.revising import edit_message, regenerate
from chat_app.services.stopping import stop_turn
from chat_app.views.answers import changed_messages, go_to_thread, is_htmx, said_messages
from chat_app.views.attachments import with_uploads, without_attached
from chat_app.views.pages import answers_with_page, more_messages, render_thread
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.ids import new_id


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def messages(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """POST says something in the thread; GET gives the messages before the cursor ``before``."""
    thread = access_thread(request.user, thread_id)
    if request.method != "POST":
        return more_messages(request, thread)
    posted = posted_message(request)
    agent = None
    if posted.agent_id:
        agent = access_agent(request.user, request.organisation, posted.agent_id)
    files = posted.files
    try:
        files = with_uploads(request, thread.organisation_id, posted.files)
        message, turn = send_agent_message(
            thread,
            content=posted.text,
            author=request.user,
            agent=agent,
            client_key=posted.client_key,
            limited=True,
            files=files,
        )
    except (InvalidInput, RateLimited, BudgetExceeded) as error:
        if not answers_with_page(request):
            raise
        return render_thread(request, thread, text=posted.text, files=files, error=error)
    said = said_messages(request, thread, [message, *([turn.message] if turn else [])])
    return without_attached(said) if files and is_htmx(request) else said


@require_POST
@member_required
def regenerate_answer(request: MemberRequest, thread_id: UUID, message_id: UUID) -> HttpResponse:
    """Answer again; also the Retry of a failed answer."""
    thread = access_thread(request.user, thread_id)
    message = access_message(thread, message_id)
    # A message is answered anew once: its id as the key makes a double click one turn.
    turn = regenerate(thread, message, user=request.user, client_key=message.pk, limited=True)
    replaced = thread.messages.filter(superseded_by=turn.message_id).values_list("pk", flat=True)
    return changed_messages(request, thread, [*replaced, turn.message_id])


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
@member_required
def edit(request: MemberRequest, thread_id: UUID, message_id: UUID) -> HttpResponse:
    """GET gives the form in the message's place; POST asks the changed question."""
    thread = access_thread(request.user, thread_id)
    message = access_message(thread, message_id)
    if message.kind != MessageKind.USER or message.author_id != request.user.pk:
        raise Conflict("Only the person who wrote a question can change it.")
    if request.method != "POST":
        name = "chat/_edit.html" if is_htmx(request) else "chat/edit.html"
        context = {"thread": thread, "message": message, "client_key": new_id()}
        return render(request, name, context)
    posted = posted_message(request)
    turn = edit_message(
        thread,
        message,
        user=request.user,
        text=posted.text,
        client_key=posted.client_key,
        limited=True,
    )
    message.refresh_from_db(fields=["superseded_by"])
    replaced = thread.messages.filter(superseded_by=message.superseded_by_id)
    new = [message.superseded_by_id] if message.superseded_by_id else []
    gone = replaced.values_list("pk", flat=True) if new else []
    return changed_messages(request, thread, [*gone, *new, *_answer(turn)])


@require_safe
@vary_on_headers("HX-Request")
@member_required
def earlier(request: MemberRequest, thread_id: UUID, message_id: UUID) -> HttpResponse:
    """What stood in the place of this message before, to read."""
    thread = access_thread(request.user, thread_id)
    message = access_message(thread, message_id)
    versions = list(message.supersedes.select_related("author", "agent", "turn").in_order())
    attach_calls(versions)
    name = "chat/_earlier.html" if is_htmx(request) else "chat/earlier.html"
    return render(request, name, {"thread": thread, "message": message, "versions": versions})


@require_POST
@member_required
def stop(request: MemberRequest, thread_id: UUID, turn_id: UUID) -> HttpResponse:
    """Stop an answer. One that ended by itself in the meantime is shown, not complained about."""
    thread = access_thread(request.user, thread_id)
    try:
        turn: Turn | None = stop_turn(thread, turn_id)
    except TurnOver:
        turn = Turn.objects.filter(pk=turn_id, thread=thread).first()
        if turn is None:
            raise
    if turn is None:
        return go_to_thread(request, thread)
    return changed_messages(request, thread, turn.messages.values_list("pk", flat=True))


def _answer(turn: Turn | None) -> list[UUID]:
    return [turn.message_id] if turn else []
