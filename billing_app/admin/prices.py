"""Prices: of the library and of people. What has been used keeps the price it had."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSplitDateTimeWidget  # type: ignore[import-untyped]

from billing_app.admin.columns import count, moment, rate
from billing_app.admin.kept import Button, ButtonsAdmin
from billing_app.models import ModelPrice
from billing_app.services.prices import add_price, change_price, end_price, price_drift, seed_prices
from one_project.accounts.models import User
from one_project.accounts.tenant_admin import InstallationAdmin
from one_project.common.errors import AppError

MODELS_OFFERED = 300
HELP = {
    "amount": "US dollars for a million tokens",
    "service_tier": "Empty: the usual one; else as the provider calls it, like flex or batch",
    "context_from": "0: any call; else calls with more input tokens than this, as a whole",
    "valid_from": "In UTC; what has been used keeps its price",
    "valid_to": "In UTC; empty: until it is changed",
}
# What may be entered for a price there is.
ASKED = ("amount", "at", "note")


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A service keeps what was entered; what it complains of is shown above the fields."""

    by: User
    kept: ModelPrice | None = None

    def keep(self, values: dict[str, Any]) -> ModelPrice:
        """Call the service; here, for a new one. Raises AppError."""
        return add_price(**values, by=self.by)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.kept = self.keep(cleaned)
            except AppError as error:
                self.add_error(None, error.user_message)
        return cleaned

    def save(self, commit: bool = True) -> ModelPrice:
        super().save(commit=False)
        assert self.kept is not None
        return self.kept


class ChangedPriceForm(PriceForm):
    """The row ends, and another follows it."""

    at = forms.SplitDateTimeField(
        label="From",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text="In UTC; empty: from now on. Never in the past.",
    )

    def keep(self, values: dict[str, Any]) -> ModelPrice:
        at: datetime | None = values.get("at")
        return change_price(
            self.instance.pk, amount=values["amount"], note=values["note"], at=at, by=self.by
        )


def holds_at(moment: datetime) -> Q:
    return Q(valid_from__lte=moment) & (Q(valid_to=None) | Q(valid_to__gt=moment))


class ValidFilter(admin.SimpleListFilter):
    title = "valid"
    parameter_name = "valid"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return [("now", "Now"), ("ended", "Ended"), ("later", "Not yet")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        if self.value() == "now":
            return queryset.filter(holds_at(now))
        if self.value() == "ended":
            return queryset.filter(valid_to__lte=now)
        return queryset.filter(valid_from__gt=now) if self.value() == "later" else queryset


class ProviderFilter(admin.SimpleListFilter):
    title = "provider"
    parameter_name = "provider"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        names = ModelPrice.objects.order_by("provider").values_list("provider", flat=True)
        return [(name, name) for name in names.distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {value for value, _ in self.lookup_choices}
        return queryset.filter(provider=self.value()) if self.value() in known else queryset


class ModelFilter(admin.SimpleListFilter):
    """Models of the provider that was chosen: of all there would be too many."""

    title = "model"
    parameter_name = "model"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        provider = request.GET.get("provider")
        if not provider or "\0" in provider:
            return []
        rows = ModelPrice.objects.filter(provider=provider).order_by("model")
        names = rows.values_list("model", flat=True).distinct()[:MODELS_OFFERED]
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {value for value, _ in self.lookup_choices}
        return queryset.filter(model=self.value()) if self.value() in known else queryset


@admin.register(ModelPrice)
class ModelPriceAdmin(InstallationAdmin[ModelPrice], ButtonsAdmin[ModelPrice]):
    list_display = [
        "provider", "model", "token_type", "service_tier", count("context_from"), rate("amount"),
        moment("valid_from"), moment("valid_to"), "source", "source_version", "note",
    ]  # fmt: skip
    list_filter = [ProviderFilter, ModelFilter, "token_type", "source", ValidFilter]
    list_defer = ["meta"]
    search_fields = ["model", "note"]
    ordering = ["provider", "model", "token_type", "service_tier", "context_from", "-valid_from"]
    actions = ["end"]
    naming = ("provider", "model", "token_type", "service_tier", "context_from")

    def buttons(self, request: HttpRequest | None = None) -> Sequence[Button]:
        return [
            Button("Seed from the library", "seed", self.seed),
            Button("What differs from the library", "drift", self.drift, changes=False),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What has ended stays as it was."""
        ended = obj is not None and obj.valid_to is not None and obj.valid_to <= timezone.now()
        return not ended and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_end_permission(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [*self.naming, "amount", "valid_from", "valid_to", "note"]
        shown = ["valid_from", "valid_to", "source", "source_version", "created_at"]
        asked = ["amount", "at", "note"] if self.has_change_permission(request, obj) else ["amount"]
        return [*self.naming, *asked, *shown]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            return []
        return [each for each in self.get_fields(request, obj) if each not in ASKED]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any
    ) -> Any:
        options["form"] = ChangedPriceForm if change else PriceForm
        if change:
            options["fields"] = [each for each in ASKED if each != "at"]
        options["help_texts"] = HELP
        made: Any = super().get_form(request, obj, change, **options)
        made.by = request.user
        return made

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The service has kept it."""

    def seed(self, request: HttpRequest) -> HttpResponse:
        done = seed_prices()
        return self.back(
            request,
            f"{done.added} added, {done.closed} closed, {done.unchanged} unchanged, "
            f"{done.kept_of_people} left to people.",
        )

    def drift(self, request: HttpRequest) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "What differs from the library",
            "opts": self.opts,
            "drifts": price_drift(),
            "back": self.address("changelist"),
        }
        return TemplateResponse(request, "admin/billing_app/drift.html", context)

    @admin.action(description="End now", permissions=["end"])
    def end(self, request: HttpRequest, rows: QuerySet[ModelPrice]) -> None:
        """What is used from then on has no price, and waits for one."""
        self.act(request, rows, lambda row, by: end_price(row.pk, by=by), "ended")
