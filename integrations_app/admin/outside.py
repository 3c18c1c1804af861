"""Programs, MCP servers and HTTP interfaces, in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from integrations_app.admin.records import RecordAdmin
from integrations_app.models import (
    ApiKey,
    HttpApi,
    InboundHook,
    McpServer,
    RemoteTool,
)
from one_project.accounts.tenant_admin import OrganisationFilter


@admin.register(ApiKey)
class ApiKeyAdmin(RecordAdmin[ApiKey]):
    list_display = [
        "name", "prefix", "user", "organisation", "scopes", "expires_at", "revoked_at",
        "last_used_at",
    ]  # fmt: skip
    list_select_related = ["user", "organisation"]
    list_filter = ["revoked_at", "created_at", OrganisationFilter]
    search_fields = ["name", "prefix", "user__email"]
    id_fields = ["id", "user"]
    actions = ["revoke_keys"]

    @admin.action(description="Revoke", permissions=["act"])
    def revoke_keys(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        from integrations_app.services.api_keys import revoke

        self.act(request, rows, lambda row, by: revoke(row, by=by), "revoked")


@admin.register(InboundHook)
class InboundHookAdmin(RecordAdmin[InboundHook]):
    list_display = [
        "name", "scheme", "target", "user", "is_active", "last_event_at", "last_error",
    ]  # fmt: skip
    list_select_related = ["user"]
    list_filter = ["scheme", "target", "is_active", OrganisationFilter]
    search_fields = ["name", "user__email"]
    id_fields = ["id", "user"]


@admin.register(McpServer)
class McpServerAdmin(RecordAdmin[McpServer]):
    list_display = [
        "name", "slug", "transport", "auth", "is_active", "last_ok_at", "last_error",
        "organisation",
    ]  # fmt: skip
    list_select_related = ["organisation"]
    list_filter = ["transport", "auth", "is_active", OrganisationFilter]
    search_fields = ["name", "slug"]
    id_fields = ["id", "integration", "connection"]


@admin.register(HttpApi)
class HttpApiAdmin(RecordAdmin[HttpApi]):
    list_display = ["name", "slug", "base_url", "is_active", "last_ok_at", "last_error"]
    list_filter = ["is_active", OrganisationFilter]
    search_fields = ["name", "slug"]


@admin.register(RemoteTool)
class RemoteToolAdmin(RecordAdmin[RemoteTool]):
    """They are approved on the page of outside tools, beside what has changed in them."""

    list_display = ["name", "server", "api", "approved", "approved_by", "approved_at", "gone_at"]
    list_select_related = ["server", "api", "approved_by"]
    list_filter = ["gone_at", "created_at", OrganisationFilter]
    list_defer = ["parameters", "operation", "description", "approved_as"]
    search_fields = ["name", "title", "server__name", "api__name"]
    id_fields = ["id", "server", "api"]

    @admin.display(description="approved", boolean=True)
    def approved(self, row: RemoteTool) -> bool:
        return row.is_approved

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["approved", *super().get_fields(request, obj)]
