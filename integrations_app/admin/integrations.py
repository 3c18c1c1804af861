"""Integrations, linked accounts and addresses, in the admin."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminPasswordWidget  # type: ignore[import-untyped]

from integrations_app.admin.records import RecordAdmin, unshown
from integrations_app.errors import InvalidSettings
from integrations_app.models import Connection, Endpoint, Integration
from integrations_app.runtime.addressing import shown_address
from integrations_app.services import integrations as service
from integrations_app.services.checking import Values
from integrations_app.services.connections import revoke
from integrations_app.services.testing import test_integration, trial_of
from one_project.accounts.models import User
from one_project.accounts.tenant_admin import OrganisationFilter, TenantForm
from one_project.common.errors import AccessDenied, AppError
from one_project.common.read_only import recent_values


class IntegrationForm(TenantForm):
    """Name, settings, priority, and other credentials; those that are set are never shown."""

    new_credentials = forms.CharField(
        label="Replace credentials",
        required=False,
        max_length=20_000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text='A JSON object, like {"password": "…"}. Only what is named is replaced; empty '
        "keeps all. After an error it is typed again.",
    )

    def clean_new_credentials(self) -> dict[str, Any]:
        text = self.cleaned_data["new_credentials"]
        if not text:
            return {}
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ValidationError("Please write a JSON object.")
        return found

    def clean(self) -> dict[str, Any]:
        """Have the service keep it: what it complains of is shown beside the fields."""
        cleaned = super().clean()
        if self.errors:
            return cleaned
        values = Values(
            name=cleaned["name"],
            settings=cleaned["settings"] if isinstance(cleaned["settings"], dict) else {},
            priority=cleaned["priority"],
        )
        try:
            self.kept = service.change_integration(
                Integration.objects.get(pk=self.instance.pk),
                by=self.by,
                values=values,
                credentials=cleaned["new_credentials"],
            )
        except InvalidSettings as error:
            for name, text in error.problems.items():
                part = name.partition(".")[0]
                field = "new_credentials" if part == "credentials" else part
                said = f"{name.partition('.')[2]}: {text}" if "." in name else text
                self.add_error(field if field in self.fields else None, said)
        except AppError as error:
            self.add_error(None, error.user_message)
        return cleaned

    by: User
    kept: Integration | None = None


def _allowed(row: Integration, by: User) -> Integration:
    """Raises AccessDenied for what somebody else has set up for themselves."""
    if row.user_id not in (None, by.pk):
        raise AccessDenied("This is somebody's own: only they test and resume it.")
    return row


@admin.register(Integration)
class IntegrationAdmin(RecordAdmin[Integration]):
    """What people have set up for themselves can be paused here, not changed."""

    form = IntegrationForm
    list_display = [
        "name", "provider", "channel_type", "status", "owner", "is_default", "priority",
        "last_ok_at", "last_error",
    ]  # fmt: skip
    list_select_related = ["organisation", "user", "team"]
    list_filter = [
        "status", "channel_type", recent_values("provider"), "is_default", OrganisationFilter,
    ]  # fmt: skip
    search_fields = ["name", "provider", "user__email"]
    id_fields = ["id", "user", "team"]
    list_defer = ["settings", "meta"]
    actions = ["test", "pause", "resume"]
    fieldsets = [
        ("Integration", {"fields": ["organisation", "owner", "name", "provider", "channel_type"]}),
        ("Set-up", {"fields": ["settings", "priority", "credentials_set", "new_credentials"]}),
        ("How it is", {"fields": [
            "status", "last_test", "last_ok_at", "last_error", "last_error_code", "last_error_at",
            "failures", "is_default", "created_by", "created_at",
        ]}),
    ]  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and obj.user_id is None and self.may(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [name for _, part in self.fieldsets for name in part["fields"]]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.has_change_permission(request, obj):
            return self.fieldsets
        # What is only looked at has no box to type in, and settings of a person's own are theirs.
        left_out = {"new_credentials"} | ({"settings"} if obj and obj.user_id else set())
        return [
            (title, {"fields": [name for name in part["fields"] if name not in left_out]})
            for title, part in self.fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        changing = {"name", "settings", "priority", "new_credentials"}
        if self.has_change_permission(request, obj):
            return [name for name in self.get_fields(request, obj) if name not in changing]
        return [name for name in self.get_fields(request, obj) if name != "new_credentials"]

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return unshown(Integration)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Integration | None:
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            # As it is stored: it may be saved again.
            stored = Integration.objects.values_list("settings", "meta")
            found.settings, found.meta = stored.get(pk=found.pk)
        return found

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any
    ) -> Any:
        made: Any = super().get_form(request, obj, change, **options)
        made.by = request.user
        return made

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The service has kept it; now it is tested, where that is needed."""
        if form.kept is not None and not service.works_as_it_is(form.kept):
            test_integration(form.kept, by=request.user)  # type: ignore[arg-type]

    @admin.display(description="belongs to")
    def owner(self, row: Integration) -> str:
        return str(row.user or row.team or "the organisation")

    @admin.display(description="credentials")
    def credentials_set(self, row: Integration) -> str:
        if row.credentials_changed_at is None:
            return "none"
        by = row.credentials_changed_by or "somebody"
        return f"set {row.hint}, by {by}, {row.credentials_changed_at:%d %b %Y, %H:%M}"

    @admin.display(description="last test")
    def last_test(self, row: Integration) -> str:
        found = trial_of(row)
        return f"{found.state}: {found.text} ({found.at:%d %b %Y, %H:%M})" if found else "none"

    @admin.action(description="Test the connection", permissions=["act"])
    def test(self, request: HttpRequest, rows: QuerySet[Integration]) -> None:
        done = "being tested; their status changes when the provider has answered"
        self.act(request, rows, lambda row, by: test_integration(_allowed(row, by), by=by), done)

    @admin.action(description="Pause", permissions=["act"])
    def pause(self, request: HttpRequest, rows: QuerySet[Integration]) -> None:
        self.act(request, rows, lambda row, by: service.pause(row, by=by), "paused")

    @admin.action(description="Resume", permissions=["act"])
    def resume(self, request: HttpRequest, rows: QuerySet[Integration]) -> None:
        verb = service.activate
        self.act(request, rows, lambda row, by: verb(_allowed(row, by), by=by), "active")


@admin.register(Connection)
class ConnectionAdmin(RecordAdmin[Connection]):
    list_display = [
        "external_name", "integration", "user", "team", "status", "expires_at", "last_ok_at",
        "last_error",
    ]  # fmt: skip
    list_select_related = ["integration", "user", "team"]
    list_filter = ["status", "created_at", OrganisationFilter]
    search_fields = ["external_name", "user__email", "integration__name"]
    id_fields = ["id", "integration", "user"]
    actions = ["revoke_connections"]

    @admin.action(description="Revoke", permissions=["act"])
    def revoke_connections(self, request: HttpRequest, rows: QuerySet[Connection]) -> None:
        found = rows.select_related("integration", "organisation")
        self.act(request, found, lambda row, by: revoke(row, by=by), "revoked")


@admin.register(Endpoint)
class EndpointAdmin(RecordAdmin[Endpoint]):
    """Somebody's address is masked, as everywhere."""

    list_display = ["shown", "type", "status", "user", "integration", "verified_at", "created_at"]
    list_select_related = ["user", "integration"]
    list_filter = ["type", "status", "created_at", OrganisationFilter]
    search_fields = ["label", "user__email", "=address"]
    id_fields = ["id", "user", "integration"]
    hidden = ("address", "meta")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["shown", *super().get_fields(request, obj)]

    @admin.display(description="address")
    def shown(self, row: Endpoint) -> str:
        if row.user_id is None:
            return row.address
        return shown_address(row.type, row.address, row.label)
