"""The view decorator that lets only members of an organisation in."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django_htmx.http import HttpResponseClientRedirect

from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import Role
from one_project.common.errors import AccessDenied
from one_project.common.pages import error_response, wants_json

P = ParamSpec("P")
View = Callable[Concatenate[MemberRequest, P], HttpResponseBase]


def member_required(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Anonymous people sign in first; people without an organisation are told so."""

    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _sign_in(request)
        membership = cast("Any", request).membership
        if not membership:
            return render(request, "no_organisation.html", status=403)
        request.organisation = membership.organisation  # type: ignore[attr-defined]
        return view(cast("MemberRequest", request), *args, **kwargs)

    wrapped: Any = wraps(view)(guarded)
    return wrapped  # type: ignore[no-any-return]


def admin_required(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """As ``member_required``, and the role must be admin or owner."""

    def guarded(request: MemberRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.membership.role not in {Role.ADMIN, Role.OWNER}:
            raise AccessDenied
        return view(request, *args, **kwargs)

    wrapped: Any = wraps(view)(guarded)
    return member_required(wrapped)


def _sign_in(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        return error_response(request, 401, "sign_in", "Please sign in.")
    if getattr(request, "htmx", False):
        # A fragment cannot be replaced by the sign-in page; the whole page goes there.
        return HttpResponseClientRedirect(f"/accounts/login/?next={request.path}")
    return redirect_to_login(request.get_full_path())
