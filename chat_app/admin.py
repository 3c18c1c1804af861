"""Threads and turns in the Django admin, to look at; conversations are changed in the chat."""

from django.contrib import admin
from django.http import HttpRequest

from chat_app.models import Thread, Turn


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Thread)
class ThreadAdmin(ReadOnlyAdmin):
    list_display = ["display_title", "organisation", "agent", "status", "last_activity_at"]
    list_select_related = ["organisation", "agent"]
    list_filter = ["status"]
    exclude = ["last_message"]


@admin.register(Turn)
class TurnAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "status", "agent", "attempt", "error_code", "finished_at"]
    list_select_related = ["agent"]
    list_filter = ["status", "error_code"]
    exclude = ["partial"]
