"""Making a tool of an integration."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from agents_app.forms.integration_tools import IntegrationToolForm
from agents_app.services.tools import create_tool
from agents_app.views.answers import complain, go_to
from integrations_app.access import access_integration
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def new_integration_tool(request: MemberRequest) -> HttpResponse:
    """GET shows the form, with ``integration`` chosen; POST makes the tool."""
    chosen = request.GET.get("integration", "")[:40]
    if request.method != "POST":
        return _page(request, IntegrationToolForm(membership=request.membership, chosen=chosen))
    form = IntegrationToolForm(request.POST, membership=request.membership, chosen=chosen)
    status = 422
    if form.is_valid():
        try:
            integration = access_integration(
                request.user, request.organisation, form.integration_id
            )
            tool = create_tool(
                request.organisation,
                by=request.user,
                values=form.values(),
                sharing=form.sharing(),
                integration_id=integration.pk,
            )
        except AppError as error:
            status = complain(form, error, "share_")
        else:
            return go_to(request, "/agents/tools/", f"“{tool.name}” can be given to agents now.")
    return _page(request, form, status=status)


def _page(request: MemberRequest, form: IntegrationToolForm, *, status: int = 200) -> HttpResponse:
    return render(request, "agents/integration_tool.html", {"form": form}, status=status)
