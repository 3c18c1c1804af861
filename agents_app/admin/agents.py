"""Agents: who answers, told what, allowed which tools."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from pydantic import ValidationError as PydanticError

from agents_app.admin.fields import LinesField, ObjectField, said
from agents_app.models import Agent, Tool
from agents_app.services.agents import set_agent_active
from agents_app.services.availability import set_agents_shared
from agents_app.tools.definitions import builtin_tools
from agents_app.types import read_options
from one_project.accounts.models import User
from one_project.accounts.tenant_admin import OrganisationFilter, TenantAdmin, TenantForm


class AgentForm(TenantForm):
    tags = LinesField(item_length=40, help_text="One in each line.")
    tools = LinesField(
        item_length=64,
        rows=6,
        help_text="Names of tools the agent may use, one in each line: built-in ones, or those "
        "of the organisation under Tools.",
    )
    starters = LinesField(
        item_length=160, help_text="Questions offered in an empty thread, one in each line."
    )
    options = ObjectField(
        help_text="JSON, for example "
        '{"temperature": 0.2, "max_steps": 8, "stop_when": ["create_task"]}.'
    )

    def clean_options(self) -> dict[str, Any]:
        options: dict[str, Any] = self.cleaned_data["options"]
        try:
            read_options(options)
        except PydanticError as error:
            raise ValidationError(said(error)) from None
        return options

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        organisation = cleaned.get("organisation") or getattr(self.instance, "organisation", None)
        # A name that was there before may have lost its tool; it does no harm.
        added = set(cleaned.get("tools", [])) - set(self.initial.get("tools") or [])
        if organisation and (unknown := added - self._known(organisation.pk, added)):
            self.add_error("tools", f"There is no tool named {', '.join(sorted(unknown))}.")
        return cleaned

    def _known(self, organisation_id: Any, names: set[str]) -> set[str]:
        rows = Tool.objects.filter(organisation_id=organisation_id, name__in=names)
        return set(builtin_tools()) | set(rows.values_list("name", flat=True))


@admin.register(Agent)
class AgentAdmin(TenantAdmin[Agent]):
    form = AgentForm
    list_display = ["name", "organisation", "kind", "model", "is_active", "is_shared", "updated_at"]
    list_select_related = ["organisation"]
    list_filter = ["kind", "is_active", "is_shared", OrganisationFilter]
    list_defer = ["prompt", "options"]
    search_fields = ["name", "description"]
    autocomplete_fields = ["organisation", "created_by", "delegates_to", "attached_prompts"]
    readonly_fields = ["code_name"]
    actions = ["activate", "deactivate", "share", "unshare"]
    fieldsets = [
        ("Profile", {"fields": ["organisation", "name", "description", "avatar", "kind", "tags"]}),
        ("Prompt", {"fields": ["prompt", "attached_prompts", "starters"]}),
        ("Model", {"fields": ["model", "options", "tools", "delegates_to", "code_name"]}),
        ("Access", {"fields": ["created_by", "is_shared", "is_active"]}),
    ]

    @admin.action(description="Activate", permissions=["change"])
    def activate(self, request: HttpRequest, agents: QuerySet[Agent]) -> None:
        self._set_active(request, agents, True)

    @admin.action(description="Deactivate", permissions=["change"])
    def deactivate(self, request: HttpRequest, agents: QuerySet[Agent]) -> None:
        self._set_active(request, agents, False)

    @admin.action(description="Share with the organisation", permissions=["change"])
    def share(self, request: HttpRequest, agents: QuerySet[Agent]) -> None:
        self._set_shared(request, agents, True)

    @admin.action(description="Stop sharing", permissions=["change"])
    def unshare(self, request: HttpRequest, agents: QuerySet[Agent]) -> None:
        self._set_shared(request, agents, False)

    def _set_active(self, request: HttpRequest, agents: QuerySet[Agent], is_active: bool) -> None:
        by = actor(request)
        changing = list(agents.exclude(is_active=is_active))
        for agent in changing:
            set_agent_active(agent, by=by, is_active=is_active)
        self._report(request, len(changing), "active now" if is_active else "inactive now")

    def _set_shared(self, request: HttpRequest, agents: QuerySet[Agent], is_shared: bool) -> None:
        count = set_agents_shared(agents, by=actor(request), is_shared=is_shared)
        self._report(request, count, "shared now" if is_shared else "private now")

    def _report(self, request: HttpRequest, count: int, what: str) -> None:
        agents = "1 agent is" if count == 1 else f"{count} agents are"
        self.message_user(request, f"{agents} {what}.", messages.SUCCESS)


def actor(request: HttpRequest) -> User:
    """Who looks; the admin lets only people in."""
    assert isinstance(request.user, User)
    return request.user
