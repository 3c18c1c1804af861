"""Budgets: whose, how much, and how far they are used up."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget  # type: ignore[import-untyped]

from billing_app.admin.columns import money
from billing_app.admin.kept import ActingAdmin
from billing_app.models import Budget, BudgetScope, BudgetWindow, Wallet
from billing_app.runtime.subjects import names_of, subjects_of
from billing_app.services.budget_settings import end_budget, set_budget
from billing_app.types.money import ZERO, spoken
from billing_app.types.periods import window_start
from one_project.accounts.models import Organisation, User
from one_project.accounts.tenant_admin import (
    OrganisationFilter,
    TenantAdmin,
    TenantForm,
    administered,
    sees_all,
)
from one_project.common.errors import AppError
from one_project.common.ids import parse_id

EACH = {
    BudgetScope.ORGANISATION: "The whole organisation",
    BudgetScope.TEAM: "Each team by itself",
    BudgetScope.USER: "Each person by themselves",
    BudgetScope.AGENT: "Each agent by itself",
}
HELP = {
    "window": "Days and months are those of UTC",
    "soft_limit": "US dollars; from here on people are warned",
    "hard_limit": "US dollars; here calls stop",
}
GROUPS = {BudgetScope.TEAM: "Teams", BudgetScope.USER: "People", BudgetScope.AGENT: "Agents"}


class BudgetForm(TenantForm):
    """A service keeps what was entered; what it complains of is shown above the fields."""

    by: User
    kept: Budget | None = None

    def keep(self, values: dict[str, Any]) -> Budget:
        """Call the service. Raises AppError."""
        budget = self.instance
        kept = set_budget(
            budget.organisation,
            scope=budget.scope,
            subject_id=budget.subject_id,
            window=budget.window,
            soft_limit=values.get("soft_limit"),
            hard_limit=values.get("hard_limit"),
            by=self.by,
        )
        return kept if values.get("is_active") else end_budget(kept, by=self.by)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors:
            try:
                self.kept = self.keep(cleaned)
            except AppError as error:
                self.add_error(None, error.user_message)
        return cleaned

    def _post_clean(self) -> None:
        """The service has checked it, and the database."""

    def save(self, commit: bool = True) -> Budget:
        super().save(commit=False)
        assert self.kept is not None
        return self.kept


class NewBudgetForm(BudgetForm):
    whose = forms.ChoiceField(
        widget=UnfoldAdminSelectWidget(),
        help_text="The choice named first holds for one; “each” for every one by itself.",
    )
    request: HttpRequest

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        of = None if sees_all(self.request) else administered(self.request)
        named_in = dict(Organisation.objects.values_list("pk", "name")) if of is None else {}
        grouped: dict[str, list[tuple[str, str]]] = {title: [] for title in GROUPS.values()}
        self.offered: dict[str, set[UUID]] = {}
        for each in subjects_of(of):
            key = f"{each.scope}:{each.id}"
            self.offered.setdefault(key, set()).add(each.organisation_id)
            where = named_in.get(each.organisation_id)
            label = f"{each.name} – {where}" if where else each.name
            if len(self.offered[key]) == 1:
                grouped[GROUPS[BudgetScope(each.scope)]].append((key, label))
        field = self.fields["whose"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            *((scope.value, said) for scope, said in EACH.items()),
            *((title, found) for title, found in grouped.items() if found),
        ]

    def keep(self, values: dict[str, Any]) -> Budget:
        scope, _, subject = values["whose"].partition(":")
        organisation: Organisation = values["organisation"]
        if subject and organisation.pk not in self.offered[values["whose"]]:
            raise forms.ValidationError({"whose": "This belongs to another organisation."})
        return set_budget(
            organisation,
            scope=scope,
            subject_id=parse_id(subject) if subject else None,
            window=values["window"],
            soft_limit=values.get("soft_limit"),
            hard_limit=values.get("hard_limit"),
            by=self.by,
        )


@admin.register(Budget)
class BudgetAdmin(TenantAdmin[Budget], ActingAdmin[Budget]):
    list_display = [
        "whose", "organisation", "window", "used", money("soft_limit"), money("hard_limit"),
        "is_active",
    ]  # fmt: skip
    list_select_related = ["organisation"]
    list_filter = ["scope", "window", "is_active", OrganisationFilter]
    search_fields = ["organisation__name"]
    search_help_text = "An id in full (of a budget, person, team or agent), or an organisation"
    id_fields = ["id", "subject_id"]
    actions = ["switch_off"]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Budget]":
        """With what the fullest wallet of the window has spent and reserved."""
        now = timezone.now()
        fullest = Wallet.objects.filter(
            organisation=OuterRef("organisation"), budget=OuterRef("pk")
        ).order_by("-spent")
        found = super().get_queryset(request)
        for window in BudgetWindow:
            current = fullest.filter(window_start=window_start(window, now))
            found = found.annotate(
                **{f"spent_by_{window}": Coalesce(Subquery(current.values("spent")[:1]), ZERO)}
            )
        return found

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The page's subjects get their names: a query for each scope."""
        changelist = super().get_changelist_instance(request)
        listed: list[Budget] = list(changelist.result_list)
        for scope in GROUPS:
            ids = {each.subject_id for each in listed if each.scope == scope and each.subject_id}
            names = names_of(scope, ids)
            for each in listed:
                if each.scope == scope and each.subject_id:
                    each.meta["name"] = names.get(each.subject_id, "")
        changelist.result_list = listed
        return changelist

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["organisation", "whose", "window", "soft_limit", "hard_limit"]
        return ["organisation", "whose", "window", "soft_limit", "hard_limit", "is_active", "used"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [] if obj is None else ["organisation", "whose", "window", "used"]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any
    ) -> Any:
        options["form"] = BudgetForm if change else NewBudgetForm
        options["fields"] = (
            ["soft_limit", "hard_limit", "is_active"]
            if change
            else ["organisation", "window", "soft_limit", "hard_limit"]
        )
        options["help_texts"] = HELP
        made: Any = super().get_form(request, obj, change, **options)
        made.by, made.request = request.user, request
        return made

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The service has kept it."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="whose")
    def whose(self, row: Budget) -> str:
        if row.subject_id is None:
            return EACH[BudgetScope(row.scope)]
        if "name" not in row.meta:
            row.meta["name"] = names_of(row.scope, {row.subject_id}).get(row.subject_id, "")
        return f"{row.scope}: {row.meta['name'] or row.subject_id}"

    @admin.display(description="spent in this window")
    def used(self, row: Budget) -> str:
        """Of “each” budgets: by whoever has spent most."""
        spent: Decimal = getattr(row, f"spent_by_{row.window}", ZERO)
        limit = row.hard_limit if row.hard_limit is not None else row.soft_limit
        assert limit is not None
        said = f"{spoken(spent)} of {spoken(limit)}"
        bar = '<progress max="100" value="{}" aria-label="{}"></progress> {}'
        share = min(100, int(100 * spent / limit)) if limit else 100
        return format_html(bar, share, said, said)

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, rows: QuerySet[Budget]) -> None:
        self.act(request, rows, lambda row, by: end_budget(row, by=by), "switched off")
