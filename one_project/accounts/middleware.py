"""``request.membership`` and ``request.organisation``: the tenant this request works in."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from one_project.accounts.access import find_membership
from one_project.accounts.models import Membership, Organisation, User
from one_project.common.ids import parse_id

SESSION_KEY = "organisation"


class OrganisationMiddleware:
    """Set the membership chosen in the session, else the first; lazily, at one query."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.membership = SimpleLazyObject(lambda: current_membership(request))  # type: ignore[attr-defined]
        return self.get_response(request)


def current_membership(request: HttpRequest) -> Membership | None:
    """The session's organisation if the person still belongs to it, else their first, else None."""
    chosen = parse_id(request.session.get(SESSION_KEY))
    membership = find_membership(request.user, chosen) if chosen else None
    return membership or find_membership(request.user)


class MemberRequest(HttpRequest):
    """A request that ``member_required`` has let through (for type checkers)."""

    user: User
    membership: Membership
    organisation: Organisation
