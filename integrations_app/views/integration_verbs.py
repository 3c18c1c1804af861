"""What can be done with an integration: test, pause, resume, use first, remove."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from integrations_app.access import access_integration_to_edit, access_integration_to_stop
from integrations_app.models import Integration
from integrations_app.services import integrations as service
from integrations_app.services.testing import test_integration, trial_of, trial_version
from integrations_app.views.answers import go_to
from integrations_app.views.integration import address_of
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest


@require_POST
@member_required
def test(request: MemberRequest, integration_id: UUID) -> HttpResponse:
    """Begin a test; its result comes into the page."""
    row = access_integration_to_edit(request.user, request.organisation, integration_id)
    test_integration(row, by=request.user)
    if getattr(request, "htmx", False):
        row.refresh_from_db()
        return _trial(request, row)
    return go_to(request, address_of(row))


@require_safe
@member_required
def trial(request: MemberRequest, integration_id: UUID) -> HttpResponse:
    """How it is and what the last test found; 204 while that is ``version``."""
    row = access_integration_to_edit(request.user, request.organisation, integration_id)
    if request.GET.get("version") == trial_version(row):
        return HttpResponse(status=204)
    return _trial(request, row)


def _trial(request: MemberRequest, row: Integration) -> HttpResponse:
    context = {
        "row": row,
        "trial": trial_of(row),
        "version": trial_version(row),
        "may_edit": True,
    }
    return render(request, "connections/_trial.html", context)


def _verb(verb: Callable[..., Any], done: str) -> Callable[..., HttpResponse]:
    """A view that does one thing with an integration the person may change, and shows it."""

    @require_POST
    @member_required
    def view(request: MemberRequest, integration_id: UUID) -> HttpResponse:
        row = access_integration_to_edit(request.user, request.organisation, integration_id)
        verb(row, by=request.user)
        return go_to(request, _back(request, row), done)

    return view  # type: ignore[return-value]


def _back(request: HttpRequest, row: Integration) -> str:
    to_list = request.POST.get("back") == "list"
    return reverse("connections:list") if to_list else address_of(row)


activate = _verb(service.activate, "It is active again.")
make_default = _verb(service.make_default, "Messages of its kind go through it first.")


def _no_default(row: Integration, *, by: Any) -> None:
    service.make_default(row, by=by, is_default=False)


drop_default = _verb(_no_default, "It is not the first one any more.")


@require_POST
@member_required
def pause(request: MemberRequest, integration_id: UUID) -> HttpResponse:
    """Admins may pause what others have set up for themselves, too."""
    row = access_integration_to_stop(request.user, request.organisation, integration_id)
    service.pause(row, by=request.user)
    return go_to(request, reverse("connections:list"), f"“{row.name}” is paused.")


@require_POST
@member_required
def remove(request: MemberRequest, integration_id: UUID) -> HttpResponse:
    """As ``pause``; what was sent stays on record."""
    row = access_integration_to_stop(request.user, request.organisation, integration_id)
    service.remove(row, by=request.user)
    return go_to(request, reverse("connections:list"), f"“{row.name}” is removed.")
