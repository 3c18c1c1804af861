"""Durable work in the Django admin, to look at; only the limit of a pool is set here."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from one_project.accounts.tenant_admin import InstallationAdmin, OrganisationFilter, TenantAdmin
from one_project.common.read_only import ReadOnlyAdmin
from one_project.workflows.models import Pool, WorkflowEvent, WorkflowRun, WorkItem
from one_project.workflows.services.pools import set_parallelism


class RunOrganisationFilter(OrganisationFilter):
    path = "run__organisation"


@admin.register(WorkflowRun)
class WorkflowRunAdmin(ReadOnlyAdmin[WorkflowRun], TenantAdmin[WorkflowRun]):
    list_display = ["created_at", "workflow", "version", "status", "organisation", "finished_at"]
    list_select_related = ["organisation"]
    list_filter = ["status", "created_at", OrganisationFilter]
    list_defer = ["arguments", "result", "error", "context"]
    search_fields = ["=workflow", "=key"]
    search_help_text = "An id, a name or a key, in full"
    exclude = ["parent_step"]


@admin.register(WorkItem)
class WorkItemAdmin(ReadOnlyAdmin[WorkItem], TenantAdmin[WorkItem]):
    list_display = ["created_at", "name", "kind", "status", "pool", "attempt", "run", "n"]
    list_select_related = ["run"]
    list_filter = ["status", "kind", "created_at", OrganisationFilter]
    list_defer = ["arguments", "result", "error", "context"]
    search_fields = ["=function"]
    search_help_text = "The id of a piece of work or of its run, or the name of its function"
    id_fields = ["id", "run"]
    # Whoever has the token may write its result.
    exclude = ["token"]


@admin.register(WorkflowEvent)
class WorkflowEventAdmin(ReadOnlyAdmin[WorkflowEvent], TenantAdmin[WorkflowEvent]):
    tenant_path = "run__organisation"
    list_display = ["created_at", "name", "key", "run", "step"]
    list_select_related = ["run", "step"]
    list_filter = ["created_at", RunOrganisationFilter]
    list_defer = ["payload"]
    search_fields = ["=name"]
    search_help_text = "The id of an event or of its run, or a name"
    id_fields = ["id", "run"]


@admin.register(Pool)
class PoolAdmin(InstallationAdmin[Pool]):
    list_display = ["name", "parallelism", "updated_at"]
    list_editable = ["parallelism"]
    ordering = ["name"]
    fields = ["name", "parallelism"]
    search_fields = ["name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        # Work names its pool: under another name nobody would find it.
        return ["name"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Pool, form: Any, change: bool) -> None:
        """By the service, so that workers hear of it at once."""
        saved = set_parallelism(obj.name, obj.parallelism)
        obj.pk = saved.pk
