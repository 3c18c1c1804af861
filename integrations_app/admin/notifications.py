"""Notifications and how they are defined, in the admin."""

from django.contrib import admin
from django.http import HttpRequest

from integrations_app.admin.records import RecordAdmin, RecordInline
from integrations_app.models import (
    Notification,
    NotificationEvent,
    NotificationWorkflow,
)
from one_project.accounts.tenant_admin import OrganisationFilter
from one_project.common.read_only import recent_values


class WayInline(RecordInline[NotificationEvent, Notification]):
    model = NotificationEvent
    fields = ["created_at", "step", "reason", "text", "delivery"]
    ordering = ["created_at", "pk"]


@admin.register(Notification)
class NotificationAdmin(RecordAdmin[Notification]):
    """What was said to a person is theirs; here is its way."""

    list_display = [
        "created_at", "workflow", "category", "user", "is_critical", "shown_at", "read_at",
        "ended_at",
    ]  # fmt: skip
    list_select_related = ["user"]
    list_filter = [
        recent_values("workflow"), recent_values("category"), "is_critical", "created_at",
        OrganisationFilter,
    ]  # fmt: skip
    list_defer = ["payload", "body"]
    search_fields = ["workflow", "=transaction_id", "user__email"]
    id_fields = ["id", "user", "run_id"]
    hidden = ("title", "body", "payload")
    inlines = [WayInline]

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Notification | None:
        """Called by its workflow, not by what it said."""
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            found.title = ""
        return found


@admin.register(NotificationWorkflow)
class NotificationWorkflowAdmin(RecordAdmin[NotificationWorkflow]):
    """They are written on the page of notifications, which checks their steps."""

    list_display = ["name", "key", "category", "is_critical", "is_active", "organisation"]
    list_select_related = ["organisation"]
    list_filter = ["is_active", "is_critical", OrganisationFilter]
    list_defer = ["steps"]
    search_fields = ["name", "key", "category"]
