"""How errors leave the house, and that private pages are not cached."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from one_project.common.errors import AppError
from one_project.common.pages import app_error_response, error_response

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class ErrorsMiddleware:
    """Typed errors become pages, HTMX fragments or JSON; a database that is away becomes 503."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, AppError):
            if error.detail:
                logger.info("%s %s: %s", request.method, request.path, error.detail)
            return app_error_response(request, error)
        if isinstance(error, OperationalError | InterfaceError):
            logger.error("database unavailable for %s %s: %s", request.method, request.path, error)
            return error_response(
                request,
                503,
                "unavailable",
                "The service is not reachable for a moment. Nothing was lost; please try again.",
            )
        return None


class PrivatePagesMiddleware:
    """Pages of a signed-in person stay out of shared and back-button caches (ASVS 14.3.2)."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        # The cookie and not the person: asking who it is could fail once the view has answered.
        signed_in = settings.SESSION_COOKIE_NAME in request.COOKIES
        if signed_in and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        return response
