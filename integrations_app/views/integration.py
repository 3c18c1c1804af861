"""One integration: setting it up, its page, and what can be done with it."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from integrations_app.access import (
    access_integration,
    access_integration_to_edit,
    is_admin_of,
)
from integrations_app.errors import IntegrationNotFound, UnknownProvider
from integrations_app.forms.places import PlaceForm
from integrations_app.forms.provider_form import ProviderForm, owners_for
from integrations_app.forms.sharing import SharingForm
from integrations_app.models import Endpoint, Integration
from integrations_app.providers.base import Provider
from integrations_app.providers.payments import PaymentProvider
from integrations_app.providers.registry import provider_of
from integrations_app.services import integrations as service
from integrations_app.services.overview import lines_of
from integrations_app.services.places import access_place, add_place, remove_endpoint
from integrations_app.services.sharing import share as share_integration
from integrations_app.services.testing import test_integration, trial_version
from integrations_app.types import ChannelType
from integrations_app.views.answers import complain, go_to
from integrations_app.views.connections import as_json
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError
from one_project.common.pages import wants_json


@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def new(request: MemberRequest, provider: str) -> HttpResponse:
    """The form of a provider; what is sent is kept as a draft, and tested at once."""
    which = _known(provider)
    offered, teams = owners_for(request.membership)
    data = request.POST if request.method == "POST" else None
    form = ProviderForm(data, provider=which, offered=offered, teams=teams)
    status = 200
    if data is not None:
        if form.is_valid():
            try:
                row = _create(request, form)
            except AppError as error:
                status = complain(form, error)
            else:
                test_integration(row, by=request.user)
                notice = "It is kept. The connection is being tested."
                return go_to(request, reverse("connections:integration", args=[row.pk]), notice)
        else:
            status = 422
    context = {"form": form, "provider": which}
    return render(request, "connections/new.html", context, status=status)


def _known(slug: str) -> Provider:
    try:
        found = provider_of(slug)
    except UnknownProvider:
        raise Http404 from None
    if found.is_internal:
        raise Http404
    return found


@sensitive_variables()
def _create(request: MemberRequest, form: ProviderForm) -> Integration:
    values = form.values()
    return service.create_integration(
        request.organisation,
        by=request.user,
        provider=form.provider.slug,
        name=values.name,
        settings=values.settings,
        credentials=form.credentials(),
        owner=form.owner(),
        is_default=bool(form.cleaned_data.get("is_default")),
        priority=values.priority,
    )


@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def integration(request: MemberRequest, integration_id: UUID) -> HttpResponse:
    """Its page. Settings are for those who may change it; ``POST`` changes them."""
    try:
        row = access_integration_to_edit(request.user, request.organisation, integration_id)
        may_edit = True
    except IntegrationNotFound:
        row = access_integration(request.user, request.organisation, integration_id)
        may_edit = False
    if request.method != "POST":
        if wants_json(request):
            return JsonResponse(as_json(_line(request, row)))
        return _page(request, row, may_edit=may_edit)
    if not may_edit:
        raise IntegrationNotFound
    form = ProviderForm(request.POST, provider=provider_of(row.provider), row=row)
    status = 422
    if form.is_valid():
        try:
            changed = service.change_integration(
                row,
                by=request.user,
                values=form.values(),
                credentials=form.credentials(),
                seen=_seen(request),
            )
        except AppError as error:
            status = complain(form, error)
        else:
            return _after_change(request, changed)
    return _page(request, row, may_edit=True, form=form, status=status)


def _seen(request: HttpRequest) -> int | None:
    text = request.POST.get("seen", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _after_change(request: MemberRequest, row: Integration) -> HttpResponse:
    notice = "Saved."
    if not service.works_as_it_is(row):
        test_integration(row, by=request.user)
        notice = "Saved. The connection is being tested."
    return go_to(request, address_of(row), notice)


def address_of(row: Integration) -> str:
    return reverse("connections:integration", args=[row.pk])


def _line(request: MemberRequest, row: Integration) -> Any:
    is_admin = is_admin_of(request.user, request.organisation)
    return lines_of([row], request.user, request.organisation, is_admin=is_admin)[0]


def _page(
    request: MemberRequest,
    row: Integration,
    *,
    may_edit: bool,
    form: ProviderForm | None = None,
    place_form: PlaceForm | None = None,
    sharing: SharingForm | None = None,
    status: int = 200,
) -> HttpResponse:
    line = _line(request, row)
    provider = line.provider
    places = Endpoint.objects.filter(integration=row, user=None).order_by("type", "address")
    context: dict[str, Any] = {
        "row": row,
        "line": line,
        "trial": line.trial,
        "version": trial_version(row),
        "provider": provider,
        "may_edit": may_edit,
        "places": list(places[:200]),
        "makes_tools": _makes_tools(row, provider),
        "deliveries": list(row.deliveries.select_related("user").order_by("-created_at")[:8])
        if may_edit
        else [],
    }
    if may_edit and provider is not None:
        context |= {
            "form": form or ProviderForm(provider=provider, row=row),
            "place_form": place_form or PlaceForm(provider=provider),
            "webhook_url": _webhook(request, row) if provider.has_webhook else "",
            "works": service.works_as_it_is(row),
        }
        if row.user_id == request.user.pk or row.team_id is not None:
            context["sharing"] = sharing or SharingForm(row=row)
    return render(request, "connections/integration.html", context, status=status)


def _makes_tools(row: Integration, provider: Provider | None) -> bool:
    if isinstance(provider, PaymentProvider):
        return False
    return row.channel_type in _OF_AGENTS or row.provider == "slack"


# What agents can act through.
_OF_AGENTS = (ChannelType.EMAIL, ChannelType.SMS, ChannelType.KNOWLEDGE)


def _webhook(request: HttpRequest, row: Integration) -> str:
    try:
        return request.build_absolute_uri(reverse("hooks:provider", args=[row.pk]))
    except NoReverseMatch:
        return ""


@require_POST
@member_required
def share(request: MemberRequest, integration_id: UUID) -> HttpResponse:
    """Who else may use it. The organisation's are everybody's already."""
    row = access_integration_to_edit(request.user, request.organisation, integration_id)
    if row.team_id is None and row.user_id != request.user.pk:
        raise IntegrationNotFound
    form = SharingForm(request.POST, row=row)
    status = 422
    if form.is_valid():
        try:
            share_integration(row, by=request.user, sharing=form.sharing())
        except AppError as error:
            status = complain(form, error)
        else:
            return go_to(request, f"{address_of(row)}#sharing", "Saved who may use it.")
    return _page(request, row, may_edit=True, sharing=form, status=status)


@sensitive_post_parameters()
@require_POST
@member_required
def place(request: MemberRequest, integration_id: UUID) -> HttpResponse:
    """Add a place it posts to."""
    row = access_integration_to_edit(request.user, request.organisation, integration_id)
    form = PlaceForm(request.POST, provider=provider_of(row.provider))
    status = 422
    if form.is_valid():
        try:
            add_place(row, by=request.user, **form.cleaned_data)
        except AppError as error:
            status = complain(form, error)
        else:
            return go_to(request, f"{address_of(row)}#places", "The place is added.")
    return _page(request, row, may_edit=True, place_form=form, status=status)


@require_POST
@member_required
def remove_place(request: MemberRequest, integration_id: UUID, endpoint_id: UUID) -> HttpResponse:
    """Post there no more."""
    row = access_integration_to_edit(request.user, request.organisation, integration_id)
    remove_endpoint(access_place(row, endpoint_id), by=request.user)
    return go_to(request, f"{address_of(row)}#places", "The place is removed.")
