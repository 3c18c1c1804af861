"""Tools: what they are, whether people are asked, and what the model must not choose."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from agents_app.admin.fields import ObjectField, secret_names
from agents_app.models import Tool, ToolAllowance, ToolKind
from agents_app.tools.definitions import builtin_tools
from agents_app.tools.integration_kind import actions_of
from integrations_app.models import Integration
from one_project.accounts.tenant_admin import OrganisationFilter, TenantAdmin, TenantForm
from one_project.common.read_only import recent_values


class ToolForm(TenantForm):
    config = ObjectField(
        help_text="A JSON object with what the model must not choose. No passwords and no keys: "
        "they belong to a connection."
    )

    def clean_config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.cleaned_data["config"]
        if names := secret_names(config):
            raise ValidationError(
                f"{', '.join(names)}: secrets do not belong here, but to a connection."
            )
        return config

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("kind") == ToolKind.BUILTIN:
            named = cleaned.get("action") or cleaned.get("name")
            known = sorted(builtin_tools())
            if named and named not in known:
                self.add_error(
                    "action" if cleaned.get("action") else "name",
                    f"There is no built-in tool “{named}”. There are: {', '.join(known)}.",
                )
        elif cleaned.get("kind") == ToolKind.INTEGRATION:
            self._check_integration(cleaned)
        elif "kind" in cleaned and not cleaned.get("action") and "action" not in self.errors:
            self.add_error("action", "Say which action, tool or operation is meant.")
        return cleaned

    def _check_integration(self, cleaned: dict[str, Any]) -> None:
        wanted, organisation = cleaned.get("integration_id"), cleaned.get("organisation")
        rows = Integration.objects.filter(organisation=organisation)
        row = rows.filter(pk=wanted).first() if wanted and organisation else None
        if row is None:
            if "integration_id" not in self.errors:
                self.add_error("integration_id", "There is no such integration in it.")
            return
        known = actions_of(row.provider, row.channel_type)
        if cleaned.get("action") not in known and "action" not in self.errors:
            listed = ", ".join(known) or "none"
            self.add_error("action", f"Through this integration there are: {listed}.")


@admin.register(Tool)
class ToolAdmin(TenantAdmin[Tool]):
    form = ToolForm
    list_display = ["name", "organisation", "kind", "action", "approval", "is_active", "owner"]
    list_select_related = ["organisation", "created_by"]
    list_filter = ["kind", "approval", "is_active", OrganisationFilter]
    list_defer = ["config"]
    search_fields = ["name", "description", "action"]
    id_fields = ["id", "integration_id"]
    autocomplete_fields = ["organisation", "created_by"]
    fieldsets = [
        ("Tool", {"fields": ["organisation", "name", "description", "kind"]}),
        ("What it does", {"fields": ["integration_id", "action", "config"]}),
        ("Access", {"fields": ["approval", "is_active", "created_by"]}),
    ]

    @admin.display(description="belongs to", ordering="created_by")
    def owner(self, tool: Tool) -> str:
        return str(tool.created_by) if tool.created_by else "everybody"


@admin.register(ToolAllowance)
class ToolAllowanceAdmin(TenantAdmin[ToolAllowance]):
    """People allow by themselves, in a thread; here it is taken back."""

    list_display = ["created_at", "tool_name", "user", "organisation", "thread_id"]
    list_select_related = ["user", "organisation"]
    list_filter = [recent_values("tool_name"), "created_at", OrganisationFilter]
    search_fields = ["tool_name", "user__email"]
    id_fields = ["id", "thread_id", "user"]
    bulk_delete = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
