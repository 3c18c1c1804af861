"""Answers shared by the views: going somewhere, and messages as the page shows them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django_htmx.http import HttpResponseClientRedirect

from chat_app.live.announce import render_answered, render_changes
from chat_app.models import Message, Thread
from one_project.accounts.middleware import MemberRequest


def is_htmx(request: MemberRequest) -> bool:
    """Whether a fragment is asked for rather than a page."""
    return request.headers.get("HX-Request") == "true"


def go_to(request: MemberRequest, address: str) -> HttpResponse:
    """Send the browser to ``address`` (303: it gets the page, whatever it sent before)."""
    if is_htmx(request):
        return HttpResponseClientRedirect(address)
    response = redirect(address)
    response.status_code = 303
    return response


def go_to_thread(request: MemberRequest, thread: Thread) -> HttpResponse:
    return go_to(request, f"/chat/{thread.pk}/")


def changed_messages(
    request: MemberRequest, thread: Thread, message_ids: Iterable[UUID]
) -> HttpResponse:
    """The messages as they are now, for the page to put in place; without htmx the whole thread.

    The socket brings the same; whichever comes second changes nothing.
    """
    if not is_htmx(request):
        return go_to_thread(request, thread)
    return HttpResponse(render_changes(thread.pk, list(message_ids)))


def said_messages(
    request: MemberRequest, thread: Thread, messages: Sequence[Message]
) -> HttpResponse:
    """As ``changed_messages``, for what this request has just written."""
    if not is_htmx(request):
        return go_to_thread(request, thread)
    return HttpResponse(render_answered(thread.pk, messages))
