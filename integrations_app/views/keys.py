"""Keys of programs: made, shown once, revoked."""

from typing import Final
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from integrations_app.access import access_api_key, is_admin_of
from integrations_app.forms.programs import KeyForm
from integrations_app.models import ApiKey
from integrations_app.services.api_keys import create_key, revoke
from integrations_app.views.answers import complain, go_to
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError

LISTED: Final = 100


@sensitive_variables("raw")
@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def keys(request: MemberRequest) -> HttpResponse:
    """The person's keys (admins: all); POST makes one and shows it, this once."""
    if request.method != "POST":
        return _page(request, KeyForm(membership=request.membership))
    form, status = KeyForm(request.POST, membership=request.membership), 422
    if form.is_valid():
        try:
            key, raw = create_key(request.organisation, by=request.user, **form.values())
        except AppError as error:
            status = complain(form, error)
        else:
            context = {"key": key, "raw": raw, "mcp": request.build_absolute_uri("/mcp/")}
            return render(request, "connections/keys_made.html", context)
    return _page(request, form, status=status)


def _page(request: MemberRequest, form: KeyForm, *, status: int = 200) -> HttpResponse:
    rows = ApiKey.objects.filter(organisation=request.organisation).select_related("user")
    if not is_admin_of(request.user, request.organisation):
        rows = rows.filter(user=request.user)
    context = {
        "keys": rows.order_by("revoked_at", "name")[:LISTED],
        "form": form,
        "now": timezone.now(),
        "mcp": request.build_absolute_uri("/mcp/"),
        "api": request.build_absolute_uri(reverse("api:notify")),
    }
    return render(request, "connections/keys.html", context, status=status)


@require_POST
@member_required
def revoke_key(request: MemberRequest, key_id: UUID) -> HttpResponse:
    """It opens nothing from now on."""
    key = access_api_key(request.user, request.organisation, key_id)
    revoke(key, by=request.user)
    return go_to(request, reverse("connections:keys"), f"“{key.name}” opens nothing any more.")
