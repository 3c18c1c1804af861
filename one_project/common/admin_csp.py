"""The admin's pages need a wider content security policy than all others."""

from collections.abc import Callable

from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponseBase

# Its widgets compute their attributes from text (Alpine) and set styles on elements. Scripts still
# come from this site only, and none stands in a page.
WIDER = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}


class AdminPolicyMiddleware:
    """Widen the policy where a view of the admin has answered; stands behind CSPMiddleware.

    By the view and not by the address: an error page under /admin/ keeps the strict policy.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        match = request.resolver_match
        if match is not None and "admin" in match.app_names:
            response._csp_update = WIDER  # type: ignore[attr-defined]
        return response
