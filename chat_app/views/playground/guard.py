"""Who gets in."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponseBase

from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import Role
from one_project.common.errors import NotFound

P = ParamSpec("P")
View = Callable[Concatenate[MemberRequest, P], HttpResponseBase]


def staff_required(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """As ``member_required``; for a plain member the page does not exist."""

    def guarded(request: MemberRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.membership.role == Role.MEMBER:
            raise NotFound
        return view(request, *args, **kwargs)

    wrapped: Any = wraps(view)(guarded)
    return member_required(wrapped)
