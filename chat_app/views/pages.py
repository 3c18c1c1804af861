"""The two pages of the chat: an empty conversation, and a thread."""

import math
from collections.abc import Sequence
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.access import access_agent
from agents_app.models import Agent
from billing_app.errors import BudgetExceeded, RateLimited
from chat_app.access import access_thread
from chat_app.conf import VISIBLE_PAGE
from chat_app.forms import asked_cursor, posted_message
from chat_app.models import Message, Thread
from chat_app.services.conversation import start_thread
from chat_app.services.reading import MessagePage, get_thread_messages, messages_around
from chat_app.services.threads import mark_read
from chat_app.views.answers import go_to_thread, is_htmx
from chat_app.views.attachments import attached_now, with_uploads
from chat_app.views.budget import left_for
from chat_app.views.sidebar import sidebar_of
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import User
from one_project.common.errors import AppError, InvalidInput
from one_project.common.ids import new_id, parse_id
from one_project.common.pages import wants_json
from one_project.common.text import clean_line

# People offered after an @; others are still understood.
NAMED = 50


@require_safe
def root(request: HttpRequest) -> HttpResponse:
    """The house opens at the chat."""
    return redirect("chat:home")


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def home(request: MemberRequest) -> HttpResponse:
    """An empty conversation; posting its first message begins the thread."""
    if request.method != "POST":
        return _home(request)
    posted = posted_message(request)
    files = posted.files
    try:
        files = with_uploads(request, request.organisation.pk, posted.files)
        agent = access_agent(request.user, request.organisation, posted.agent_id)
        thread, _ = start_thread(
            request.organisation,
            user=request.user,
            agent=agent,
            message=posted.text,
            client_key=posted.client_key,
            limited=True,
            files=files,
        )
    except (InvalidInput, RateLimited, BudgetExceeded) as error:
        if not answers_with_page(request):
            raise
        return _home(request, text=posted.text, agent_id=posted.agent_id, files=files, error=error)
    return go_to_thread(request, thread)


def _home(
    request: MemberRequest,
    *,
    text: str = "",
    agent_id: str = "",
    files: Sequence[str] = (),
    error: AppError | None = None,
) -> HttpResponse:
    agents = usable_agents(request)
    wanted = parse_id(agent_id or clean_line(request.GET.get("agent"), 64))
    chosen = next((agent for agent in agents if agent.pk == wanted), agents[0] if agents else None)
    context = {
        "sidebar": sidebar_of(request),
        "agents": agents,
        "chosen": chosen,
        "left": left_for(request, chosen.pk if chosen else None),
        "client_key": new_id(),
        "text": text,
        "attached": attached_now(request, request.organisation.pk, files),
        "error": error,
    }
    return _page(request, "chat/home.html", context, error)


def _page(
    request: MemberRequest, name: str, context: dict[str, object], error: AppError | None
) -> HttpResponse:
    """The page; after what could not be done, with its status and how long to wait."""
    if error is None:
        return render(request, name, context)
    wait = math.ceil(error.retry_after) if error.retry_after is not None else None
    response = render(request, name, {**context, "wait": wait}, status=error.status)
    if wait is not None:
        response["Retry-After"] = str(wait)
    return response


@require_safe
@vary_on_headers("HX-Request")
@member_required
def thread_page(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """The thread with its newest messages, or those before the cursor ``before``."""
    thread = access_thread(request.user, thread_id)
    if is_htmx(request):
        return more_messages(request, thread)
    mark_read(thread, user=request.user)
    return render_thread(request, thread)


def render_thread(
    request: MemberRequest,
    thread: Thread,
    *,
    text: str = "",
    files: Sequence[str] = (),
    error: AppError | None = None,
) -> HttpResponse:
    """The whole page; ``text``, ``files`` and ``error`` after a form that could not be used."""
    # The thread row was read before the messages: what changes in between has a higher number
    # than the page's and comes again over the socket.
    older, newer = _messages(request, thread)
    found = older.page[::-1] + newer.page
    context: dict[str, object] = {
        "thread": thread,
        "older": older.continue_cursor,
        "newer": newer.continue_cursor,
        "shown": found,
        "own_open": _own_open(found, request),
        "may_delete": thread.created_by_id == request.user.pk or request.membership.is_admin,
        "sidebar": sidebar_of(request, current=str(thread.pk)),
        "agents": usable_agents(request),
        "people": _others(thread, request.user),
        "left": left_for(request, thread.agent_id, thread.organisation_id),
        "client_key": new_id(),
        "text": text,
        "attached": attached_now(request, thread.organisation_id, files),
        "error": error,
    }
    return _page(request, "chat/thread.html", context, error)


def more_messages(request: MemberRequest, thread: Thread) -> HttpResponse:
    """The page of messages before or after a cursor, with what loads the next one."""
    older, newer = _messages(request, thread)
    context: dict[str, object] = {
        "thread": thread,
        "older": older.continue_cursor,
        "newer": newer.continue_cursor,
        "shown": older.page[::-1] + newer.page,
    }
    return render(request, "chat/_messages.html", context)


def answers_with_page(request: MemberRequest) -> bool:
    """Whether a form that could not be used is shown again as a page (no JavaScript, no JSON)."""
    return not is_htmx(request) and not wants_json(request)


def usable_agents(request: MemberRequest) -> list[Agent]:
    # The first agents of an organisation are its most general ones.
    return list(Agent.objects.usable_by(request.user, request.organisation).order_by("created_at"))


def _others(thread: Thread, user: User) -> list[User]:
    """Who can be named in a message besides agents."""
    found = User.objects.filter(thread_participations__thread=thread).exclude(pk=user.pk)
    return list(found.order_by("name", "email")[:NAMED])


NO_MORE = MessagePage([], is_done=True, continue_cursor=None)


def _messages(request: MemberRequest, thread: Thread) -> tuple[MessagePage, MessagePage]:
    """What the address asks for: messages before a cursor, after one, around one (``at``), or the
    newest. First those with what is older before them (newest first), then those that follow."""
    if at := parse_id(request.GET.get("at")):
        # One that was replaced or is gone leads to the thread as it is.
        message = thread.messages.current().filter(pk=at).first()
        if message is not None:
            return messages_around(thread, message)
    after = asked_cursor(request, "after")
    found = get_thread_messages(
        thread,
        cursor=after or asked_cursor(request, "before"),
        page_size=VISIBLE_PAGE,
        newest_first=not after,
        current_only=True,
    )
    return (NO_MORE, found) if after else (found, NO_MORE)


def _own_open(messages: list[Message], request: MemberRequest) -> Message | None:
    """The answer being written that this person asked for: what the Stop button stops."""
    for message in messages:
        turn = getattr(message, "turn", None)
        if turn is not None and turn.is_open and turn.requested_by_id == request.user.pk:
            return message
    return None
