"""Where providers tell what became of messages. No session: the signature says who it is."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from integrations_app.providers.base import Request
from integrations_app.services.status_events import receive
from one_project.common.errors import AppError

MAX_BYTES = 1_000_000


class TooMuch(AppError):
    code = "too_large"
    status = 413
    user_message = "This is too large."


@csrf_exempt
@require_POST
def provider_status(request: HttpRequest, integration_id: UUID) -> HttpResponse:
    """A status webhook of an integration's provider. 404, 403, 413 and 422 answer as JSON."""
    try:
        new = receive(integration_id, _raw(request))
    except AppError as error:
        return JsonResponse({"error": {"code": error.code}}, status=error.status)
    return JsonResponse({"events": new})


def _raw(request: HttpRequest) -> Request:
    """The request as it came, its body whole. Raises TooMuch."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > MAX_BYTES:
        raise TooMuch
    body = request.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise TooMuch
    # What was read is given back, for the form to be parsed from.
    request._body = body
    return Request(
        method=request.method or "",
        url=request.build_absolute_uri(),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        form={key: str(value) for key, value in request.POST.items()},
        received_at=timezone.now(),
    )
