"""Prompts with their history. A save of another name or text makes a version."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from agents_app.admin.agents import actor
from agents_app.models import Prompt, PromptVersion
from agents_app.services.prompts import PROMPT_LIMIT, create_prompt, save_prompt
from one_project.accounts.tenant_admin import (
    OrganisationFilter,
    TenantAdmin,
    TenantForm,
    TenantInline,
)


class PromptForm(TenantForm):
    """``read``: the version the page was opened with."""

    read = forms.IntegerField(widget=forms.HiddenInput, required=False, label="")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["read"].initial = self.instance.version

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        if len(text) > PROMPT_LIMIT:
            self.add_error("text", f"A prompt has at most {PROMPT_LIMIT:,} characters.")
        return text

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        read = cleaned.get("read")
        if not self.instance._state.adding and read is not None and read != self.instance.version:
            self.add_error(
                None,
                "Somebody else has saved this prompt since you opened it. Compare your text with "
                "theirs in the versions below, then save again.",
            )
            # What is seen below is what is saved over next.
            self.data = {**self.data, self.add_prefix("read"): str(self.instance.version)}
        return cleaned


class PromptVersionInline(TenantInline[PromptVersion, Prompt]):
    model = PromptVersion
    tenant_path = "prompt__organisation"
    verbose_name_plural = "versions"
    fields: ClassVar[Any] = ["number", "created_at", "created_by", "text"]
    readonly_fields: ClassVar[Any] = fields
    ordering = ["-number"]
    can_delete = False
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("created_by")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Prompt)
class PromptAdmin(TenantAdmin[Prompt]):
    form = PromptForm
    list_display = ["name", "organisation", "version", "is_shared", "updated_at"]
    list_select_related = ["organisation"]
    list_filter = ["is_shared", OrganisationFilter]
    list_defer = ["text"]
    search_fields = ["name", "text"]
    autocomplete_fields = ["organisation", "created_by"]
    readonly_fields = ["version"]
    inlines = [PromptVersionInline]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        seen = ["organisation", "name", "text", "is_shared", "created_by"]
        return [*seen, "version", "read"] if obj else seen

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        return list(self.inlines) if obj else []

    def save_model(self, request: HttpRequest, obj: Prompt, form: Any, change: bool) -> None:
        """Name and text by the services, which keep what was there before."""
        if not change:
            made = create_prompt(
                obj.organisation,
                name=obj.name,
                text=obj.text,
                created_by=obj.created_by,
                is_shared=obj.is_shared,
            )
            obj.pk = made.pk
            return
        name, text = obj.name, obj.text
        obj.name, obj.text = form.initial["name"], form.initial["text"]
        super().save_model(request, obj, form, change)
        if (name, text) != (obj.name, obj.text):
            save_prompt(obj, by=actor(request), name=name, text=text, version=obj.version)
