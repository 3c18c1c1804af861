"""The tools of an organisation: what agents may be given, and who may give it to them."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents_app.access import access_tool_to_edit, editable_tools
from agents_app.forms import ToolForm
from agents_app.forms.choices import title_of
from agents_app.models import Approval, Effect, Tool
from agents_app.services.tools import create_tool, delete_tool, set_tool_policy, update_tool
from agents_app.tools.catalogue import definition_of
from agents_app.tools.definitions import ToolDefinition, builtin_tools
from agents_app.views.answers import LISTED, complain, go_to
from one_project.accounts.guards import admin_required, member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError
from one_project.common.text import clean_line


@dataclass(frozen=True, slots=True)
class ToolLine:
    """One line of the page. ``definition`` is None where what a row names is not there."""

    title: str
    definition: ToolDefinition | None
    effect: Effect | None
    approval: str
    row: Tool | None
    may_edit: bool

    @property
    def approval_label(self) -> str:
        return str(Approval(self.approval).label)

    @property
    def may_never(self) -> bool:
        """Whether "never ask" may be said of it."""
        return self.effect != Effect.DESTRUCTIVE


@require_safe
@member_required
def tool_list(request: MemberRequest) -> HttpResponse:
    """Built-in tools and those made here; ``q`` searches. Admins see all of the organisation."""
    query = clean_line(request.GET.get("q"), 100).lower()
    usable = Tool.objects.usable_by(request.user, request.organisation).active()
    editable = editable_tools(request.user, request.organisation)
    may_edit = set(editable.values_list("pk", flat=True)[: LISTED * 5])
    found = Tool.objects.filter(organisation=request.organisation).select_related("created_by")
    rows = list(
        (found.filter(pk__in=usable.values("pk")) | found.filter(pk__in=may_edit))
        .order_by("name")
        .distinct()[:LISTED]
    )
    policies = {
        row.name: row
        for row in Tool.objects.filter(
            organisation=request.organisation, name__in=builtin_tools(), created_by=None
        )
    }
    lines = [_built_in(one, policies.get(one.name), request) for one in builtin_tools().values()]
    if not request.membership.is_admin:
        lines = [line for line in lines if line.approval != Approval.DENY]
    lines.sort(key=lambda line: line.title.lower())
    made = [_made(row, row.pk in may_edit) for row in rows if row.name not in policies]
    context = {
        "built_in": [line for line in lines if _is_wanted(line, query)],
        "made": [line for line in made if _is_wanted(line, query)],
        "query": query,
        "policies": Approval.choices,
    }
    return render(request, "agents/tools.html", context)


def _built_in(definition: ToolDefinition, row: Tool | None, request: MemberRequest) -> ToolLine:
    return ToolLine(
        title_of(definition),
        definition,
        Effect(definition.effect),
        Approval.DENY if row and not row.is_active else row.approval if row else Approval.DEFAULT,
        row,
        request.membership.is_admin,
    )


def _made(row: Tool, may_edit: bool) -> ToolLine:
    definition = definition_of(row)
    effect = Effect(definition.effect) if definition else None
    return ToolLine(row.name, definition, effect, row.approval, row, may_edit)


def _is_wanted(line: ToolLine, query: str) -> bool:
    described = line.definition.description if line.definition else ""
    own = line.row.description if line.row else ""
    return not query or query in f"{line.title} {described} {own}".lower()


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def new_tool(request: MemberRequest) -> HttpResponse:
    """GET shows an empty form; POST makes the tool, private unless shared in the form."""
    if request.method != "POST":
        return _page(request, ToolForm(membership=request.membership))
    form, status = ToolForm(request.POST, membership=request.membership), 422
    if form.is_valid():
        try:
            tool = create_tool(
                request.organisation,
                by=request.user,
                values=form.values(),
                sharing=form.sharing(),
            )
        except AppError as error:
            status = complain(form, error, "share_")
        else:
            return go_to(request, "/agents/tools/", f"“{tool.name}” can be given to agents now.")
    return _page(request, form, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def edit_tool(request: MemberRequest, tool_id: UUID) -> HttpResponse:
    """GET shows the form; POST saves all of it."""
    tool = access_tool_to_edit(request.user, request.organisation, tool_id)
    if request.method != "POST":
        return _page(request, ToolForm(membership=request.membership, tool=tool), tool)
    form, status = ToolForm(request.POST, membership=request.membership, tool=tool), 422
    if form.is_valid():
        try:
            update_tool(tool, by=request.user, values=form.values(), sharing=form.sharing())
        except AppError as error:
            status = complain(form, error, "share_")
        else:
            return go_to(request, "/agents/tools/", "Saved.")
    return _page(request, form, tool, status=status)


@require_POST
@member_required
def delete(request: MemberRequest, tool_id: UUID) -> HttpResponse:
    """Delete the tool; agents that have its name go on without it."""
    tool = access_tool_to_edit(request.user, request.organisation, tool_id)
    delete_tool(tool, by=request.user)
    return go_to(request, "/agents/tools/", f"Deleted “{tool.name}”.")


@require_POST
@admin_required
def policy(request: MemberRequest) -> HttpResponse:
    """How the organisation uses the built-in tool ``tool``: ``approval`` says whether to ask."""
    name = clean_line(request.POST.get("tool"), 64)
    approval = clean_line(request.POST.get("approval"), 20)
    set_tool_policy(request.organisation, by=request.user, name=name, approval=approval)
    return go_to(request, "/agents/tools/", "Saved for the whole organisation.")


def _page(
    request: MemberRequest, form: ToolForm, tool: Tool | None = None, *, status: int = 200
) -> HttpResponse:
    definition = definition_of(tool) if tool else None
    return render(
        request,
        "agents/tool.html",
        {"form": form, "tool": tool, "definition": definition},
        status=status,
    )
