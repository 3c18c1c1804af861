"""Grants: who else may use an agent, a tool or a prompt that is private by default."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import CharField, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast, Coalesce
from django.http import HttpRequest

from agents_app.admin.agents import actor
from agents_app.models import Agent, Prompt, PromptVersion, Tool, ToolCall
from one_project.accounts.models import Grant
from one_project.accounts.tenant_admin import OrganisationFilter, TenantAdmin, TenantForm

# What can be granted, and a relation whose autocompletion finds it.
THINGS: dict[str, tuple[type[Any], Any]] = {
    "agent": (Agent, ToolCall._meta.get_field("agent")),
    "tool": (Tool, ToolCall._meta.get_field("tool")),
    "prompt": (Prompt, PromptVersion._meta.get_field("prompt")),
}


class ThingField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def __init__(self, name: str) -> None:
        model, relation = THINGS[name]
        super().__init__(
            model._default_manager.all(),
            required=False,
            widget=AutocompleteSelect(relation, admin.site),
        )


class GrantForm(TenantForm):
    agent = ThingField("agent")
    tool = ThingField("tool")
    prompt = ThingField("prompt")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.instance._state.adding:
            chosen = [name for name in THINGS if cleaned.get(name)]
            if len(chosen) == 1:
                self.instance.object_type = chosen[0]
                self.instance.object_id = cleaned[chosen[0]].pk
            elif not self.errors:
                self.add_error(None, "Choose one agent, one tool or one prompt.")
        if cleaned.get("user") and cleaned.get("team"):
            self.add_error("team", "A person or a team, not both; neither means everybody.")
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.instance._state.adding and not self.errors and self._exists():
            self.add_error(None, "This has been granted already.")

    def _exists(self) -> bool:
        grant = self.instance
        return Grant.objects.filter(
            object_type=grant.object_type,
            object_id=grant.object_id,
            user=grant.user,
            team=grant.team,
        ).exists()


@admin.register(Grant)
class GrantAdmin(TenantAdmin[Grant]):
    form = GrantForm
    list_display = ["thing", "object_type", "organisation", "given_to", "level", "created_at"]
    list_select_related = ["organisation", "user", "team"]
    list_filter = ["object_type", "level", OrganisationFilter]
    search_fields = ["user__email", "user__name", "team__name", "thing_name"]
    search_help_text = "The name of a thing, a person or a team, or an id in full"
    id_fields = ["id", "object_id", "user", "team"]
    autocomplete_fields = ["organisation", "user", "team"]
    bulk_delete = True

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj:
            return ["organisation", "object_type", "thing", "user", "team", "level", "granted_by"]
        return ["organisation", *THINGS, "user", "team", "level"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Another thing or another person is another grant."""
        if obj is None:
            return []
        return ["organisation", "object_type", "thing", "user", "team", "granted_by"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        names = [
            Subquery(model._default_manager.filter(pk=OuterRef("object_id")).values("name")[:1])
            for model, _ in THINGS.values()
        ]
        found = Coalesce(*names, Cast(F("object_id"), CharField()), output_field=CharField())
        return super().get_queryset(request).annotate(thing_name=found)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        for name, (model, _) in THINGS.items():
            if name in form.base_fields:
                scope = self.admin_site.get_model_admin(model)
                form.base_fields[name].queryset = scope.get_queryset(request)
        return form

    @admin.display(description="thing", ordering="thing_name")
    def thing(self, grant: Grant) -> str:
        return str(getattr(grant, "thing_name", grant.object_id))

    @admin.display(description="given to")
    def given_to(self, grant: Grant) -> str:
        return str(grant.user or grant.team or "everybody")

    def save_model(self, request: HttpRequest, obj: Grant, form: Any, change: bool) -> None:
        if not change:
            obj.granted_by = actor(request)
        super().save_model(request, obj, form, change)
