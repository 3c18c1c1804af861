"""Connecting an account: to the service, and back from it."""

from typing import cast
from uuid import UUID

from django.contrib import messages as notices
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from integrations_app.access import access_connection_to_edit, access_integration
from integrations_app.errors import ConsentFailed
from integrations_app.models import Integration
from integrations_app.providers.registry import provider_of
from integrations_app.services.connecting import Owner, begin_connect, finish_connect
from integrations_app.services.connections import revoke
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import Team
from one_project.common.errors import NotFound
from one_project.common.ids import parse_id
from one_project.common.text import clean_line

HOME = "/connections/"


@require_safe
@never_cache
@member_required
def connect(request: MemberRequest, integration_id: UUID) -> HttpResponse:
    """Send the person to the service to give consent. ``next``: where to come back to.

    ``owner``: "me" (the usual), "organisation", or the id of a team.
    """
    integration = access_integration(request.user, request.organisation, integration_id)
    url = begin_connect(
        request.user,
        integration,
        _owner(request),
        _inside(request.GET.get("next", "")) or f"{HOME}{integration.pk}/",
        browser=_browser(request),
    )
    return redirect(url)


@require_safe
@never_cache
@member_required
@sensitive_variables()
def callback(request: MemberRequest) -> HttpResponse:
    """The service sends people back to this address with a code, or with a reason why not."""
    given = request.GET
    try:
        done = finish_connect(
            request.user,
            state=given.get("state", "")[:200],
            browser=_browser(request),
            code=given.get("code", "")[:4000],
            error=clean_line(given.get("error"), 60),
            issuer=given.get("iss", "")[:300],
        )
    except ConsentFailed as error:
        return _failed(request, error)
    title = provider_of(done.connection.integration.provider).title
    name = done.connection.external_name
    notices.success(request, f"{title} is connected{f' as {name}' if name else ''}.")
    return redirect(_inside(done.return_to) or HOME)


@require_POST
@member_required
def disconnect(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """End a connection; the token is given back where the service takes it."""
    row = access_connection_to_edit(request.user, request.organisation, connection_id)
    title = provider_of(row.integration.provider).title
    if revoke(row, by=request.user):
        notices.success(request, f"{title} is disconnected.")
    else:
        notices.success(
            request,
            f"{title} is disconnected here. You may want to remove the app there as well.",
        )
    response = redirect(_inside(request.POST.get("next", "")) or HOME)
    response.status_code = 303
    return response


def _failed(request: MemberRequest, error: ConsentFailed) -> HttpResponse:
    integration = None
    if error.integration_id is not None:
        usable = Integration.objects.usable_by(request.user, request.organisation)
        integration = usable.filter(pk=error.integration_id).first()
    context = {
        "problem": error.user_message,
        "integration": integration,
        "return_to": _inside(error.return_to),
    }
    return render(request, "connections/not_connected.html", context, status=error.status)


def _owner(request: MemberRequest) -> Owner:
    said = request.GET.get("owner", "me")
    if said in ("me", "organisation"):
        return cast("Owner", said)
    team_id = parse_id(said)
    teams = Team.objects.filter(organisation=request.organisation, members=request.user)
    team = teams.filter(pk=team_id).first() if team_id else None
    if team is None:
        raise NotFound
    return team


def _browser(request: MemberRequest) -> str:
    if not request.session.session_key:
        request.session.save()
    return str(request.session.session_key)


def _inside(address: str) -> str:
    """``address`` if it is a path of ours, else ""."""
    is_ours = address.startswith("/") and url_has_allowed_host_and_scheme(address, None)
    return address[:300] if is_ours else ""
