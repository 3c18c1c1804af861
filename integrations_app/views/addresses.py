"""Where a person is reached: their own addresses, verified by a code."""

from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from integrations_app.forms.places import OwnAddressForm
from integrations_app.services import endpoints as service
from integrations_app.services.places import remove_endpoint
from integrations_app.views.answers import complain, go_to
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError, NotFound
from one_project.common.pages import wants_json


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def addresses(request: MemberRequest) -> HttpResponse:
    """The person's addresses; ``POST`` adds one and sends a code to it."""
    data = request.POST if request.method == "POST" else None
    form = OwnAddressForm(data)
    status = 200
    if data is not None:
        status = 422
        if form.is_valid():
            try:
                service.add_own_address(request.user, request.organisation, **form.cleaned_data)
            except AppError as error:
                status = complain(form, error)
            else:
                return go_to(request, _here(), "A code is on its way. Type it here.")
    return _page(request, form, status)


def _page(
    request: MemberRequest, form: OwnAddressForm, status: int = 200, problem: str = "", of: str = ""
) -> HttpResponse:
    rows = service.own_addresses(request.user, request.organisation)
    if wants_json(request) and request.method != "POST":
        found = [
            {"id": str(row.pk), "type": row.type, "address": row.address, "status": row.status}
            for row in rows
        ]
        return JsonResponse({"addresses": found})
    context = {"rows": rows, "form": form, "problem": problem, "problem_of": of}
    return render(request, "connections/addresses.html", context, status=status)


def _here() -> str:
    return reverse("connections:addresses")


@sensitive_post_parameters("code")
@require_POST
@member_required
def verify(request: MemberRequest, endpoint_id: UUID) -> HttpResponse:
    """Take the address as the person's own, by the code that was sent to it."""
    row = service.access_own_address(request.user, request.organisation, endpoint_id)
    try:
        service.verify(row, user=request.user, code=request.POST.get("code", ""))
    except NotFound:
        raise
    except AppError as error:
        return _page(request, OwnAddressForm(), error.status, error.user_message, str(row.pk))
    return go_to(request, _here(), "This address is yours: you are reached there.")


@require_POST
@member_required
def send_code(request: MemberRequest, endpoint_id: UUID) -> HttpResponse:
    """Another code."""
    row = service.access_own_address(request.user, request.organisation, endpoint_id)
    try:
        service.send_code_again(row, user=request.user)
    except NotFound:
        raise
    except AppError as error:
        return _page(request, OwnAddressForm(), error.status, error.user_message, str(row.pk))
    return go_to(request, _here(), "Another code is on its way.")


@require_POST
@member_required
def remove_address(request: MemberRequest, endpoint_id: UUID) -> HttpResponse:
    """Nothing is sent there any more."""
    row = service.access_own_address(request.user, request.organisation, endpoint_id)
    remove_endpoint(row, by=request.user)
    return go_to(request, _here(), "The address is removed.")
