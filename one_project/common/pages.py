"""Error answers in the form the asker can use: JSON, an HTMX fragment, or a page."""

import logging
import math

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from one_project.common.errors import AppError

logger = logging.getLogger(__name__)


def wants_json(request: HttpRequest) -> bool:
    """Whether the client asked for JSON rather than a page."""
    accept = request.headers.get("Accept", "")
    return "application/json" in accept and "text/html" not in accept


def error_response(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    """``{"error": {"code", "message"}}``, a notice swapped into ``#notices``, or a whole page.

    The HTMX form never touches the form it came from, so what was typed stays in the box.
    """
    if wants_json(request):
        return JsonResponse({"error": {"code": code, "message": message}}, status=status)
    context = {"status": status, "code": code, "message": message}
    if getattr(request, "htmx", False) or request.headers.get("HX-Request") == "true":
        response = render(request, "_notice.html", context, status=status)
        response["HX-Retarget"] = "#notices"
        response["HX-Reswap"] = "beforeend"
        return response
    return render(request, "error.html", context, status=status)


def app_error_response(request: HttpRequest, error: AppError) -> HttpResponse:
    """A typed error; one that time cures says in how many whole seconds."""
    response = error_response(request, error.status, error.code, error.user_message)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return error_response(
            request, 413, "too_large", "This is too large to send. Please shorten it."
        )
    return error_response(request, 400, "bad_request", "This request could not be understood.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, 403, "access_denied", "You do not have permission to do this.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    logger.warning("CSRF check failed for %s: %s", request.path, reason)
    return error_response(
        request,
        403,
        "csrf",
        "This page is too old to send from. Reload it and try again; your text is kept.",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(
        request, 404, "not_found", "This page does not exist, or you have no access to it."
    )


def server_error(request: HttpRequest) -> HttpResponse:
    return error_response(
        request, 500, "server_error", "Something went wrong on our side. Please try again."
    )
