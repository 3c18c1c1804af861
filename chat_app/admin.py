"""Conversations in the Django admin, to look at; they are changed in the chat.

What was said is read in the thread by those who take part; here superusers alone see it.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from chat_app.models import (
    Canvas,
    CanvasVersion,
    Escalation,
    Message,
    Task,
    Thread,
    ThreadEdit,
    Turn,
)
from one_project.accounts.tenant_admin import OrganisationFilter, TenantAdmin, sees_all
from one_project.common.read_only import ReadOnlyAdmin, recent_values


@admin.register(Thread)
class ThreadAdmin(ReadOnlyAdmin[Thread], TenantAdmin[Thread]):
    list_display = ["display_title", "organisation", "agent", "status", "last_activity_at"]
    list_select_related = ["organisation", "agent"]
    list_filter = ["status", "routing", "created_at", OrganisationFilter]
    list_defer = ["summary"]
    search_fields = ["title", "agent__name", "created_by__email"]
    search_help_text = "An id in full, or a part of the title, an agent's name or an address"
    id_fields = ["id", "parent"]
    exclude = ["last_message", "summary"]


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin[Message], TenantAdmin[Message]):
    list_display = ["created_at", "kind", "status", "thread", "author_name", "model", "error_code"]
    list_select_related = ["thread"]
    list_filter = ["status", "kind", "created_at", recent_values("model"), OrganisationFilter]
    list_defer = ["content", "text", "sources", "provider_metadata", "provider_options"]
    search_fields = ["author_name", "=error_code"]
    search_help_text = "The id of a message, thread or turn, or a part of the author's name"
    id_fields = ["id", "thread", "turn"]
    said = ("text", "content", "sources", "warnings", "provider_options", "provider_metadata")

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("client_key",) if sees_all(request) else ("client_key", *self.said)


@admin.register(Turn)
class TurnAdmin(ReadOnlyAdmin[Turn], TenantAdmin[Turn]):
    list_display = ["created_at", "status", "agent", "step", "attempt", "error_code", "finished_at"]
    list_select_related = ["agent"]
    list_filter = ["status", "created_at", recent_values("error_code"), OrganisationFilter]
    list_defer = ["partial", "options"]
    search_fields = ["agent__name", "requested_by__email"]
    search_help_text = "The id of a turn, thread or message, the agent's name or an e-mail address"
    id_fields = ["id", "thread", "prompt", "message", "work"]
    exclude = ["partial", "client_key"]


@admin.register(Escalation)
class EscalationAdmin(ReadOnlyAdmin[Escalation], TenantAdmin[Escalation]):
    list_display = ["created_at", "status", "reason", "thread", "agent", "taken_by", "closed_at"]
    list_select_related = ["thread", "agent", "taken_by"]
    list_filter = ["status", "created_at", OrganisationFilter]
    search_fields = ["reason", "agent__name", "requested_by__email", "taken_by__email"]
    id_fields = ["id", "thread"]


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin[Task], TenantAdmin[Task]):
    list_display = ["created_at", "title", "user", "priority", "agent", "done_at"]
    list_select_related = ["user", "agent"]
    list_filter = [
        "priority",
        ("done_at", admin.EmptyFieldListFilter),
        "created_at",
        OrganisationFilter,
    ]
    list_defer = ["description"]
    search_fields = ["title", "user__email"]
    id_fields = ["id", "thread", "user"]


@admin.register(Canvas)
class CanvasAdmin(ReadOnlyAdmin[Canvas], TenantAdmin[Canvas]):
    list_display = ["display_title", "organisation", "kind", "version", "author_name", "updated_at"]
    list_select_related = ["organisation"]
    list_filter = ["kind", "updated_at", OrganisationFilter]
    list_defer = ["text"]
    search_fields = ["title", "author_name"]
    id_fields = ["id", "thread"]

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if sees_all(request) else ("text",)


@admin.register(CanvasVersion)
class CanvasVersionAdmin(ReadOnlyAdmin[CanvasVersion], TenantAdmin[CanvasVersion]):
    list_display = ["created_at", "canvas", "number", "kind", "author_name", "restored_from"]
    list_select_related = ["canvas"]
    list_filter = ["kind", "created_at", OrganisationFilter]
    list_defer = ["text", "canvas__text"]
    search_fields = ["title", "author_name"]
    id_fields = ["id", "canvas", "message"]

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if sees_all(request) else ("text",)


@admin.register(ThreadEdit)
class ThreadEditAdmin(ReadOnlyAdmin[ThreadEdit], TenantAdmin[ThreadEdit]):
    list_display = ["created_at", "thread", "actor_name", "kind", "version", "position", "length"]
    list_select_related = ["thread"]
    list_filter = ["kind", "created_at", OrganisationFilter]
    list_defer = ["before", "after"]
    search_fields = ["actor_name"]
    id_fields = ["id", "thread", "canvas", "message"]

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if sees_all(request) else ("before", "after")
