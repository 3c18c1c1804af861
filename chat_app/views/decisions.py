"""What people decide about the tools an agent uses: allow, refuse, change, answer, settle."""

from typing import Any
from uuid import UUID

import orjson
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.html import escape
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.errors import ToolCallNotFound
from agents_app.models import ToolCall
from agents_app.services.approvals import (
    answer_question,
    approve_call,
    approve_calls,
    deny_call,
    edit_and_approve,
    resolve_unknown,
)
from chat_app.access import access_message, access_thread, access_tool_call
from chat_app.models import Thread, Turn
from chat_app.views.answers import changed_messages, go_to, is_htmx
from chat_app.views.pages import answers_with_page
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line


@require_safe
@vary_on_headers("HX-Request")
@member_required
def call_result(request: MemberRequest, thread_id: UUID, call_id: UUID) -> HttpResponse:
    """All of what a call returned, for everybody who sees the thread."""
    thread = access_thread(request.user, thread_id)
    call = ToolCall.objects.filter(pk=call_id, thread_id=thread.pk).first()
    if call is None:
        raise ToolCallNotFound
    name = "chat/_call_result.html" if is_htmx(request) else "chat/call_result.html"
    return render(request, name, {"thread": thread, "call": call})


@require_POST
@member_required
def approve(
    request: MemberRequest, thread_id: UUID, call_id: UUID, always: bool = False
) -> HttpResponse:
    """Let the call run as the person has seen it (``args``); ``always``: and do not ask again."""
    thread, call = _decidable(request, thread_id, call_id)
    approve_call(call, by=request.user, args=_seen(request), always=always)
    return _decided(request, thread, call)


@require_POST
@member_required
def approve_all(request: MemberRequest, thread_id: UUID, message_id: UUID) -> HttpResponse:
    """Approve every call of one step that waits for it."""
    thread = access_thread(request.user, thread_id)
    message = access_message(thread, message_id)
    waiting = ToolCall.objects.awaiting_approval().filter(message_id=message.pk).in_order()
    calls = [access_tool_call(request.user, pk) for pk in waiting.values_list("pk", flat=True)]
    approve_calls(calls, by=request.user)
    return _answer(request, thread, message.pk, message.turn_id)


@require_POST
@member_required
def deny(request: MemberRequest, thread_id: UUID, call_id: UUID) -> HttpResponse:
    """Refuse the call; the agent is told the reason."""
    thread, call = _decidable(request, thread_id, call_id)
    deny_call(call, by=request.user, reason=_posted(request, "reason", call))
    return _decided(request, thread, call)


@require_POST
@member_required
def change(request: MemberRequest, thread_id: UUID, call_id: UUID) -> HttpResponse:
    """Let the call run with other arguments (JSON). What cannot be used is shown beside them."""
    thread, call = _decidable(request, thread_id, call_id)
    text = _posted(request, "arguments", call)
    try:
        arguments = _read_arguments(text)
        edit_and_approve(call, by=request.user, arguments=arguments, args=_seen(request))
    except InvalidInput as error:
        if is_htmx(request):
            response = HttpResponse(escape(error.user_message), status=error.status)
            response["HX-Retarget"] = f"#wrong-{call.pk}"
            response["HX-Reswap"] = "textContent"
            return response
        if not answers_with_page(request):
            raise
        context = {"thread": thread, "call": call, "text": text, "error": error}
        return render(request, "chat/change_call.html", context, status=error.status)
    return _decided(request, thread, call)


@require_POST
@member_required
def answer(request: MemberRequest, thread_id: UUID, call_id: UUID) -> HttpResponse:
    """Answer what an agent has asked a person."""
    thread, call = _decidable(request, thread_id, call_id)
    answer_question(call, by=request.user, text=_posted(request, "answer", call))
    return _decided(request, thread, call)


@require_POST
@member_required
def resolve(request: MemberRequest, thread_id: UUID, call_id: UUID) -> HttpResponse:
    """Say whether an effect that nobody knows of took place (``happened`` 1 or 0)."""
    thread, call = _decidable(request, thread_id, call_id)
    happened = request.POST.get("happened")
    if happened not in {"0", "1"}:
        raise InvalidInput("Please say whether it happened.")
    resolve_unknown(call, by=request.user, happened=happened == "1")
    return _decided(request, thread, call)


def _decidable(request: MemberRequest, thread_id: UUID, call_id: UUID) -> tuple[Thread, ToolCall]:
    thread = access_thread(request.user, thread_id)
    call = access_tool_call(request.user, call_id)
    if call.thread_id != thread.pk:
        raise ToolCallNotFound
    return thread, call


def _seen(request: MemberRequest) -> str:
    """The hash of the arguments that were on the page."""
    return clean_line(request.POST.get("args"), 64)


def _posted(request: MemberRequest, name: str, call: ToolCall) -> str:
    """A field of this call's card; the fields of all cards belong to one form."""
    return str(request.POST.get(f"{name}-{call.pk}") or "")


def _read_arguments(text: str) -> dict[str, Any]:
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"This is not valid JSON: {error.msg} (line {error.lineno}).") from error
    if not isinstance(arguments, dict):
        raise InvalidInput("Arguments are a JSON object: { … }.")
    return arguments


def _decided(request: MemberRequest, thread: Thread, call: ToolCall) -> HttpResponse:
    return _answer(request, thread, call.message_id, call.turn_id)


def _answer(
    request: MemberRequest, thread: Thread, message_id: UUID | None, turn_id: UUID | None
) -> HttpResponse:
    """The step as it is now, and the next one where the turn has gone on."""
    if request.POST.get("next") == "inbox" and not is_htmx(request):
        return go_to(request, "/chat/inbox/")
    turn = Turn.objects.filter(pk=turn_id).first() if turn_id else None
    shown = [message_id, turn.message_id if turn else None]
    return changed_messages(request, thread, dict.fromkeys(pk for pk in shown if pk))
