"""The admin of rows that belong to organisations: who sees which of them.

A superuser sees all. A person with ``is_staff`` sees and changes what belongs to the organisations
in which they are owner or admin, and nothing else: not in lists, by address, in choices or in
autocompletion. Permissions of Django's own tables are not asked.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest

from one_project.accounts.models import Membership, Organisation, Role, User
from one_project.common.read_only import PlainAdmin, TabularInline

Row = TypeVar("Row", bound=Model)
Parent = TypeVar("Parent", bound=Model)

FILTER_LIMIT = 100


def sees_all(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


def administered(
    request: HttpRequest, roles: Sequence[str] = (Role.OWNER, Role.ADMIN)
) -> set[UUID]:
    """Ids of the organisations in which the person has one of ``roles``; one query a request."""
    if not request.user.is_authenticated or not request.user.is_staff:
        return set()
    found: dict[UUID, str] | None = getattr(request, "_roles_in_organisations", None)
    if found is None:
        own = Membership.objects.active().filter(user=request.user)
        found = dict(own.values_list("organisation_id", "role"))
        request._roles_in_organisations = found  # type: ignore[attr-defined]
    return {pk for pk, role in found.items() if role in roles}


class TenantScope:
    """Choices of relations, limited to what the person may see. For admins and their inlines."""

    admin_site: admin.AdminSite
    tenant_path = "organisation"

    def of_tenant(self, queryset: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        """Those of ``queryset`` that belong to an organisation the person administers."""
        if sees_all(request):
            return queryset
        return queryset.filter(**{f"{self.tenant_path}__in": administered(request)})

    def get_field_queryset(
        self, db: str | None, db_field: "Field[Any, Any]", request: HttpRequest
    ) -> QuerySet[Any] | None:
        queryset: QuerySet[Any] | None = super().get_field_queryset(db, db_field, request)  # type: ignore[misc]
        if sees_all(request):
            return queryset
        remote: Any = db_field.remote_field
        if queryset is None:
            queryset = remote.model._default_manager.using(db)
        related = self.admin_site._registry.get(remote.model)
        # What has no tenant is nobody's to choose.
        return (
            related.of_tenant(queryset, request)
            if isinstance(related, TenantScope)
            else queryset.none()
        )


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses relations that lead into another organisation, whoever asks."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        organisation = cleaned.get("organisation")
        organisation_id = organisation.pk if organisation else _organisation_id(self.instance)
        if organisation_id is not None:
            for name, value in list(cleaned.items()):
                self._check_tenant(name, value, organisation_id)
        return cleaned

    def _check_tenant(self, name: str, value: object, organisation_id: UUID) -> None:
        rows: Iterable[Any] = value if isinstance(value, QuerySet) else [value]
        for row in rows:
            if isinstance(row, User):
                if name in self.changed_data and not belongs(row, organisation_id):
                    self.add_error(name, f"{row} is not a member of this organisation.")
            elif isinstance(row, Model) and _organisation_id(row) not in {None, organisation_id}:
                self.add_error(name, f"“{row}” belongs to another organisation.")


def belongs(user: User, organisation_id: UUID) -> bool:
    members = Membership.objects.active()
    return members.filter(user=user, organisation_id=organisation_id).exists()


def _organisation_id(row: Model) -> UUID | None:
    found: UUID | None = getattr(row, "organisation_id", None)
    return found


class TenantAdmin(TenantScope, PlainAdmin[Row]):
    """An admin by role. ``tenant_path``: the lookup from a row to its organisation."""

    form: Any = TenantForm

    def get_queryset(self, request: HttpRequest) -> QuerySet[Row]:
        return self.of_tenant(super().get_queryset(request), request)

    def may(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the person administers the row's organisation (without a row: any at all)."""
        if sees_all(request):
            return True
        organisations = administered(request)
        return bool(organisations) if obj is None else self.tenant_of(obj) in organisations

    def tenant_of(self, obj: Any) -> UUID | None:
        *way, last = self.tenant_path.split("__")
        for name in way:
            obj = getattr(obj, name)
        found: UUID | None = getattr(obj, f"{last}_id")
        return found

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.may(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """A row stays where it is: what it is linked with belongs to the same organisation."""
        fixed = list(super().get_readonly_fields(request, obj))
        return [*fixed, "organisation"] if obj and hasattr(obj, "organisation_id") else fixed

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = dict(super().get_changeform_initial_data(request))
        own = administered(request)
        if len(own) == 1:
            initial.setdefault("organisation", next(iter(own)))
        return initial


class TenantInline(TenantScope, TabularInline[Row, Parent]):
    """Rows below a row that the person may change; ``tenant_path`` as in TenantAdmin."""

    extra = 0
    form: Any = TenantForm
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Row]:
        return self.of_tenant(super().get_queryset(request), request)

    def may(self, request: HttpRequest) -> bool:
        return sees_all(request) or bool(administered(request))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request)


class InstallationAdmin(PlainAdmin[Row]):
    """What belongs to no organisation: for superusers."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return sees_all(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_all(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return sees_all(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_all(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_all(request)


class OrganisationFilter(admin.SimpleListFilter):
    """By organisation, where there is more than one to choose; the first hundred by name."""

    title = "organisation"
    parameter_name = "organisation"
    path: ClassVar[str] = "organisation"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        organisations = Organisation.objects.order_by("name")
        if not sees_all(request):
            organisations = organisations.filter(pk__in=administered(request))
        found = organisations.values_list("pk", "name")[:FILTER_LIMIT]
        return [(str(pk), name) for pk, name in found] if len(found) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if not chosen or chosen not in {pk for pk, _ in self.lookup_choices}:
            return queryset
        return queryset.filter(**{self.path: chosen})
