"""What was handed to providers, and what they told, in the admin. What was said is not shown."""

from django.contrib import admin

from integrations_app.admin.records import RecordAdmin, RecordInline
from integrations_app.models import Delivery, DeliveryAttempt, InboundEvent
from one_project.accounts.tenant_admin import OrganisationFilter
from one_project.common.read_only import recent_values


class AttemptInline(RecordInline[DeliveryAttempt, Delivery]):
    model = DeliveryAttempt
    fields = [
        "number", "integration", "status", "http_status", "code", "error", "created_at", "ended_at",
        "retry_at",
    ]  # fmt: skip
    ordering = ["number"]


@admin.register(Delivery)
class DeliveryAdmin(RecordAdmin[Delivery]):
    list_display = [
        "created_at", "channel_type", "to", "status", "reason", "integration", "source",
        "attempts_made", "error",
    ]  # fmt: skip
    list_select_related = ["integration"]
    list_filter = [
        "status", "channel_type", "reason", recent_values("source"), "created_at",
        OrganisationFilter,
    ]  # fmt: skip
    list_defer = ["content", "meta"]
    search_fields = ["=provider_message_id", "=idempotency_key", "user__email"]
    id_fields = ["id", "integration", "user", "notification", "source_id"]
    # A notification is called by what it says.
    hidden = ("content", "address", "notification")
    inlines = [AttemptInline]


@admin.register(InboundEvent)
class InboundEventAdmin(RecordAdmin[InboundEvent]):
    list_display = ["created_at", "kind", "integration", "hook", "delivery", "outcome"]
    list_select_related = ["integration", "hook", "delivery"]
    list_filter = [recent_values("kind"), "created_at", OrganisationFilter]
    list_defer = ["body"]
    search_fields = ["=external_id", "kind"]
    id_fields = ["id", "integration", "hook", "delivery"]
