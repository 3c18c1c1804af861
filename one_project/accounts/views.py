"""Choosing the organisation to work in."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from one_project.accounts.access import find_membership
from one_project.accounts.middleware import SESSION_KEY
from one_project.common.errors import NotFound
from one_project.common.ids import parse_id


@require_POST
@login_required
def switch_organisation(request: HttpRequest) -> HttpResponse:
    """Work in the posted ``organisation`` (an id) from now on."""
    chosen = parse_id(request.POST.get("organisation"))
    membership = find_membership(request.user, chosen) if chosen else None
    if membership is None:
        raise NotFound
    request.session[SESSION_KEY] = str(membership.organisation_id)
    return redirect("/chat/")
