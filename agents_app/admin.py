"""Agents and prompts in the Django admin."""

from django.contrib import admin

from agents_app.models import Agent, Prompt


@admin.register(Agent)
class AgentAdmin(admin.ModelAdmin[Agent]):
    list_display = ["name", "organisation", "kind", "model", "is_active", "updated_at"]
    list_select_related = ["organisation"]
    list_filter = ["kind", "is_active"]
    search_fields = ["name", "description"]
    autocomplete_fields = ["organisation", "created_by", "delegates_to", "attached_prompts"]
    fieldsets = [
        ("Profile", {"fields": ["organisation", "name", "description", "avatar", "kind", "tags"]}),
        ("Prompt", {"fields": ["prompt", "attached_prompts", "starters"]}),
        ("Model", {"fields": ["model", "options", "tools", "delegates_to"]}),
        ("Access", {"fields": ["created_by", "is_shared", "is_active"]}),
    ]


@admin.register(Prompt)
class PromptAdmin(admin.ModelAdmin[Prompt]):
    list_display = ["name", "organisation", "updated_at"]
    list_select_related = ["organisation"]
    search_fields = ["name", "text"]
    autocomplete_fields = ["organisation", "created_by"]
