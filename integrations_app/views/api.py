"""The API for programs: JSON in and out, a key in the header, typed errors."""

import logging
import math
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeAlias
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from integrations_app.access import visible_notifications
from integrations_app.models import Notification
from integrations_app.services import idempotency
from integrations_app.services.api_keys import Caller, access_by_key, bearer_of
from integrations_app.services.notifications import trigger
from one_project.common.errors import AppError, InvalidInput, NotFound
from one_project.common.text import is_plain_json

P = ParamSpec("P")
# What a view of the API gives: a status and what is written as JSON.
Answer: TypeAlias = tuple[int, Any]
View: TypeAlias = Callable[Concatenate[HttpRequest, Caller, P], Answer]

MAX_BODY: Final = 256 * 1024

logger = logging.getLogger(__name__)


class TooMuch(AppError):
    code = "too_large"
    status = 413
    user_message = f"A request has at most {MAX_BODY:,} bytes."


def for_programs(scope: str, *methods: str) -> Callable[[View[P]], Callable[..., HttpResponse]]:
    """Let programs in whose key is good for ``scope``; nothing of a session counts here.

    A ``POST`` or ``PATCH`` with an ``Idempotency-Key`` is done once; what it does and its answer
    are one transaction.
    """

    def guarded(view: View[P]) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @sensitive_variables("raw")
        @wraps(view)
        def answered(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method not in methods:
                return _refused_method(methods)
            try:
                raw = bearer_of(request.headers.get("Authorization", ""))
                caller = access_by_key(raw, scope)
                check_size(request, MAX_BODY, TooMuch())
                return _once(request, caller, lambda: view(request, caller, *args, **kwargs))
            except AppError as error:
                if error.detail:
                    logger.info("%s %s: %s", request.method, request.path, error.detail)
                return problem(error)
            except (OperationalError, InterfaceError):
                logger.exception("database unavailable for %s", request.path)
                return JsonResponse(_said("unavailable", "Please try again."), status=503)
            except Exception:
                logger.exception("%s %s failed", request.method, request.path)
                return JsonResponse(_said("server_error", "This failed on our side."), status=500)

        return answered

    return guarded


def _once(request: HttpRequest, caller: Caller, work: Callable[[], Answer]) -> HttpResponse:
    key = request.headers.get("Idempotency-Key")
    if key is None or request.method not in ("POST", "PATCH"):
        with transaction.atomic():
            status, body = work()
        return JsonResponse(body, status=status, safe=False)
    begun = idempotency.begin(
        caller.key, key, method=request.method, path=request.path, body=request.body
    )
    if isinstance(begun, idempotency.Answered):
        replayed = {"Idempotent-Replayed": "true"}
        return JsonResponse(begun.body, status=begun.status, safe=False, headers=replayed)
    try:
        with transaction.atomic():
            status, body = work()
            idempotency.settle(begun, status=status, body=body)
    except AppError as error:
        if error.retryable or error.status >= 500:
            idempotency.drop(begun)
        else:
            idempotency.settle(begun, status=error.status, body=_problem_body(error))
        raise
    except BaseException:
        idempotency.drop(begun)
        raise
    return JsonResponse(body, status=status, safe=False)


def check_size(request: HttpRequest, most: int, error: AppError) -> None:
    """Raise ``error`` for a body of more than ``most`` bytes, also one that does not say so."""
    said = request.META.get("CONTENT_LENGTH") or ""
    if said.isdigit() and int(said) > most:
        raise error
    try:
        length = len(request.body)
    except (RequestDataTooBig, UnreadablePostError):
        raise error from None
    if length > most:
        raise error


def problem(error: AppError) -> HttpResponse:
    """A typed error as JSON."""
    response = JsonResponse(_problem_body(error), status=error.status)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _problem_body(error: AppError) -> dict[str, Any]:
    said = _said(error.code, error.user_message)
    problems = getattr(error, "problems", None)
    if isinstance(problems, dict):
        said["error"]["problems"] = problems
    return said


def _said(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _refused_method(methods: tuple[str, ...]) -> HttpResponse:
    body = _said("method_not_allowed", f"Use {' or '.join(methods)}.")
    return JsonResponse(body, status=405, headers={"Allow": ", ".join(methods)})


# --- Notifications ------------------------------------------------------------------------------


class NotifyBody(BaseModel):
    """What a program sends to tell people something."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    workflow: str = Field(min_length=1, max_length=64)
    to: str | list[str]
    payload: dict[str, Any] = {}
    transaction_id: str | None = Field(None, min_length=1, max_length=100)
    channels: list[str] | None = Field(None, max_length=10)


@for_programs("notify", "POST")
def notify(request: HttpRequest, caller: Caller) -> Answer:
    """Trigger a notification for people or topics of the organisation."""
    body = _read(request, NotifyBody)
    if not is_plain_json(body.payload):
        raise InvalidInput("The payload is nested too deeply, or holds too large numbers.")
    made = trigger(
        caller.organisation,
        body.workflow,
        to=body.to,
        payload=body.payload,
        by=caller.user,
        transaction_id=body.transaction_id,
        channels=body.channels,
    )
    found = [{"id": str(one.pk), "user": str(one.user_id) if one.user_id else None} for one in made]
    return 202, {"transaction_id": made[0].transaction_id if made else None, "notifications": found}


@for_programs("notify", "GET")
def notification(request: HttpRequest, caller: Caller, notification_id: UUID) -> Answer:
    """What became of one."""
    rows = visible_notifications(caller.user, caller.organisation)
    row = rows.filter(pk=notification_id).first()
    if row is None:
        raise NotFound("There is no such notification.")
    return 200, _as_json(row)


def _as_json(row: Notification) -> dict[str, Any]:
    moments = ("created_at", "shown_at", "seen_at", "read_at", "archived_at", "ended_at")
    deliveries = [
        {
            "id": str(one.pk),
            "channel": one.channel_type,
            "step": one.step,
            "status": one.status,
            "reason": one.reason or None,
            "attempts": one.attempts_made,
        }
        for one in row.deliveries.order_by("created_at")[:100]
    ]
    return {
        "id": str(row.pk),
        "workflow": row.workflow,
        "transaction_id": row.transaction_id,
        "user": str(row.user_id) if row.user_id else None,
        **{name: _moment(getattr(row, name)) for name in moments},
        "deliveries": deliveries,
    }


def _moment(value: Any) -> str | None:
    return value.isoformat() if value else None


def _read(request: HttpRequest, model: type[NotifyBody]) -> NotifyBody:
    try:
        return model.model_validate_json(request.body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        said = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in found[:5]]
        raise InvalidInput("; ".join(said)[:500]) from None
