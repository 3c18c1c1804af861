"""HTTP interfaces: set up, described, and which operations agents may use."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from integrations_app.access import access_api
from integrations_app.forms.outside import ApiForm, OperationForm, SpecForm
from integrations_app.models import HttpApi
from integrations_app.services.http_apis import (
    add_operation,
    change_api,
    create_api,
    read_again,
)
from integrations_app.views.answers import complain, go_to
from integrations_app.views.tools import allow_chosen, remove_owner, switch_owner, tools_context
from one_project.accounts.guards import admin_required, member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError


@sensitive_post_parameters("header_value")
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
@admin_required
def new_api(request: MemberRequest) -> HttpResponse:
    """The form of an interface; its operations are chosen on its page."""
    data = request.POST if request.method == "POST" else None
    form, status = ApiForm(data), 200
    if data is not None:
        status = 422
        if form.is_valid():
            spec = form.cleaned_data["spec"]
            try:
                row = create_api(
                    request.organisation, by=request.user, values=form.values(), spec=spec
                )
            except AppError as error:
                status = complain(form, error)
            else:
                notice = "It is kept. Now choose what of it agents may use."
                return go_to(request, reverse("connections:api", args=[row.pk]), notice)
    return render(request, "connections/tools_new_api.html", {"form": form}, status=status)


@sensitive_post_parameters("header_value")
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def api(request: MemberRequest, api_id: UUID) -> HttpResponse:
    """One interface with its operations; POST changes how it is reached."""
    row = access_api(request.user, request.organisation, api_id)
    data = request.POST if request.method == "POST" else None
    form, status = ApiForm(data, api=row), 200
    if data is not None:
        status = 422
        if form.is_valid():
            try:
                change_api(row, by=request.user, values=form.values())
            except AppError as error:
                status = complain(form, error)
            else:
                return go_to(request, reverse("connections:api", args=[row.pk]), "Saved.")
    return _api_page(request, row, form=form, status=status)


@require_POST
@member_required
def describe(request: MemberRequest, api_id: UUID) -> HttpResponse:
    """Take a newer description: what changed has to be looked at again."""
    row = access_api(request.user, request.organisation, api_id)
    form, status = SpecForm(request.POST), 422
    if form.is_valid():
        try:
            counts = read_again(row, by=request.user, spec=form.cleaned_data["spec"])
        except AppError as error:
            status = complain(form, error)
        else:
            return go_to(request, reverse("connections:api", args=[row.pk]), f"Read: {counts}.")
    return _api_page(request, row, spec_form=form, status=status)


@require_POST
@member_required
def add(request: MemberRequest, api_id: UUID) -> HttpResponse:
    """An operation by hand; it waits for a look like any other."""
    row = access_api(request.user, request.organisation, api_id)
    form, status = OperationForm(request.POST), 422
    if form.is_valid():
        try:
            add_operation(row, by=request.user, **form.cleaned_data)
        except AppError as error:
            status = complain(form, error)
        else:
            return go_to(request, reverse("connections:api", args=[row.pk]), "Added.")
    return _api_page(request, row, operation_form=form, status=status)


def _api_page(
    request: MemberRequest, row: HttpApi, *, status: int = 200, **forms: Any
) -> HttpResponse:
    context = {
        "api": row,
        "owner": row,
        "form": ApiForm(api=row),
        "spec_form": SpecForm(),
        "operation_form": OperationForm(),
        "allow": reverse("connections:allow_of_api", args=[row.pk]),
        **forms,
        **tools_context(row),
    }
    return render(request, "connections/api.html", context, status=status)


@require_POST
@member_required
def allow_of_api(request: MemberRequest, api_id: UUID) -> HttpResponse:
    """Allow the operations that were ticked, as they were shown."""
    row = access_api(request.user, request.organisation, api_id)
    return allow_chosen(request, row, reverse("connections:api", args=[row.pk]))


@require_POST
@member_required
def switch_api(request: MemberRequest, api_id: UUID) -> HttpResponse:
    return switch_owner(request, access_api(request.user, request.organisation, api_id))


@require_POST
@member_required
def remove_api(request: MemberRequest, api_id: UUID) -> HttpResponse:
    return remove_owner(request, access_api(request.user, request.organisation, api_id))
