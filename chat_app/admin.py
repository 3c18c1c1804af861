"""Threads and turns in the Django admin, to look at; conversations are changed in the chat."""

from django.contrib import admin

from chat_app.models import Thread, Turn
from one_project.common.read_only import ReadOnlyAdmin


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
