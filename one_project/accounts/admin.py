"""People and organisations in the Django admin. Events are read only."""

from typing import Any

from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from unfold.forms import (  # type: ignore[import-untyped]
    AdminPasswordChangeForm,
    PaginationInlineFormSet,
    UserChangeForm,
    UserCreationForm,
)

from one_project.accounts.models import (
    Event,
    Membership,
    Organisation,
    Role,
    Team,
    TeamMember,
    User,
)
from one_project.accounts.services.events import record_event
from one_project.accounts.services.organisations import add_member
from one_project.accounts.tenant_admin import (
    InstallationAdmin,
    OrganisationFilter,
    TenantAdmin,
    TenantForm,
    TenantInline,
    administered,
    belongs,
    sees_all,
)
from one_project.common.read_only import ReadOnlyAdmin, recent_values

# Rights are roles in organisations: groups of permissions would change nothing.
admin.site.unregister(Group)
admin.site.unregister(EmailAddress)


class MembershipForm(TenantForm):
    """Keeps at least one owner, and lets only owners make owners."""

    request: HttpRequest | None = None  # None: a superuser's page

    def clean(self) -> dict[str, Any]:
        cleaned = forms.ModelForm.clean(self) or self.cleaned_data
        role = cleaned.get("role", self.instance.role)
        organisation = cleaned.get("organisation") or getattr(self.instance, "organisation", None)
        if organisation is None:
            return cleaned
        if not self.instance._state.adding and "organisation" in self.changed_data:
            self.add_error("organisation", "A membership stays in its organisation.")
        owns = role == Role.OWNER and cleaned.get("is_active", True)
        if role == Role.OWNER and not self._may_make_owners(organisation):
            self.add_error("role", "Only an owner may make somebody an owner.")
        if not owns and self._is_last_owner():
            self.add_error("role", "An organisation keeps at least one owner.")
        return cleaned

    def _may_make_owners(self, organisation: Organisation) -> bool:
        if self.request is None or sees_all(self.request) or "role" not in self.changed_data:
            return True
        return organisation.pk in administered(self.request, [Role.OWNER])

    def _is_last_owner(self) -> bool:
        if self.instance._state.adding:
            return False
        owners = Membership.objects.active().filter(
            organisation_id=self.instance.organisation_id, role=Role.OWNER
        )
        return {row.pk for row in owners[:2]} == {self.instance.pk}


class MembershipInline(TenantInline[Membership, User]):
    model = Membership
    form = MembershipForm
    autocomplete_fields = ["organisation"]
    fields = ["organisation", "role", "is_active"]
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_all(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_all(request)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, TenantAdmin[User]):  # type: ignore[type-arg]
    """An organisation's admin sees its people; accounts belong to the installation."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    ordering = ["email"]
    list_display = ["email", "name", "is_active", "is_staff", "last_login"]
    search_fields = ["email", "name"]
    list_filter = ["is_active", "is_staff"]
    readonly_fields = ["last_login", "created_at"]
    fieldsets = [
        (None, {"fields": ["email", "password", "name", "timezone"]}),
        ("Access", {"fields": ["is_active", "is_staff", "is_superuser"]}),
        ("Times", {"fields": ["last_login", "created_at"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "password1", "password2"]})]
    inlines = [MembershipInline]
    filter_horizontal = []

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if sees_all(request):
            return super().get_fieldsets(request, obj)
        seen = ["email", "name", "timezone", "is_active", "last_login", "created_at"]
        return [(None, {"fields": seen})]

    def of_tenant(self, queryset: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        """Whoever is or was a member."""
        if sees_all(request):
            return queryset
        theirs = Membership.objects.filter(
            user=OuterRef("pk"), organisation__in=administered(request)
        )
        return queryset.filter(Exists(theirs))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None or sees_all(request):
            return self.may(request)
        theirs = Membership.objects.filter(user=obj, organisation__in=administered(request))
        return theirs.exists()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return sees_all(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_all(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_all(request)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.email = User.objects.normalize_email(obj.email).lower()
        super().save_model(request, obj, form, change)


@admin.register(EmailAddress)
class EmailAddressAdmin(AllauthEmailAddressAdmin, InstallationAdmin[EmailAddress]):  # type: ignore[misc]
    ordering = ["email"]
    list_select_related = ["user"]
    search_fields = ["email"]
    autocomplete_fields = ["user"]
    raw_id_fields = ()
    id_fields = ["user"]


@admin.register(Organisation)
class OrganisationAdmin(TenantAdmin[Organisation]):
    list_display = ["name", "slug", "created_at"]
    search_fields = ["name", "slug"]
    ordering = ["name"]
    fields = ["name", "slug"]

    def of_tenant(self, queryset: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        return queryset if sees_all(request) else queryset.filter(pk__in=administered(request))

    def tenant_of(self, obj: Organisation) -> Any:
        return obj.pk

    def has_add_permission(self, request: HttpRequest) -> bool:
        return sees_all(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # All that was ever said in it would go with it.
        return False


@admin.register(Membership)
class MembershipAdmin(TenantAdmin[Membership]):
    """Leaving keeps the row, inactive; so nothing is deleted here."""

    form = MembershipForm
    list_display = ["user", "email", "organisation", "role", "is_active", "created_at"]
    list_select_related = ["user", "organisation"]
    list_filter = ["role", "is_active", OrganisationFilter]
    search_fields = ["user__email", "user__name"]
    id_fields = ["id", "user", "organisation"]
    autocomplete_fields = ["organisation", "user"]
    fields = ["organisation", "user", "role", "is_active"]

    @admin.display(ordering="user__email")
    def email(self, row: Membership) -> str:
        return row.user.email

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return type(
            "MembershipForm",
            (super().get_form(request, obj, change, **kwargs),),
            {"request": request},
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fixed = super().get_readonly_fields(request, obj)
        return [*fixed, "user"] if obj else fixed

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and obj.role == Role.OWNER and not sees_all(request):
            return obj.organisation_id in administered(request, [Role.OWNER])
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        if not change:
            obj.pk = add_member(obj.organisation, user=obj.user, role=obj.role).pk
            return
        super().save_model(request, obj, form, change)
        record_event(
            obj.organisation,
            "member_changed",
            actor=request.user if isinstance(request.user, User) else None,
            target=f"user:{obj.user_id}",
            data={"role": obj.role, "is_active": obj.is_active},
        )


class TeamMembers(PaginationInlineFormSet):  # type: ignore[misc]
    def clean(self) -> None:
        """Only the formset knows the team while it is being made."""
        super().clean()
        for form in self.forms:
            user = form.cleaned_data.get("user") if form.is_valid() else None
            if user and form.has_changed() and not belongs(user, self.instance.organisation_id):
                form.add_error("user", f"{user} is not a member of this organisation.")
                raise ValidationError("Only members of the organisation can be in its teams.")


class TeamMemberInline(TenantInline[TeamMember, Team]):
    model = TeamMember
    formset = TeamMembers
    tenant_path = "team__organisation"
    fields = ["user"]
    autocomplete_fields = ["user"]


@admin.register(Team)
class TeamAdmin(TenantAdmin[Team]):
    list_display = ["name", "organisation"]
    list_select_related = ["organisation"]
    list_filter = [OrganisationFilter]
    search_fields = ["name"]
    autocomplete_fields = ["organisation"]
    fields = ["organisation", "name"]
    inlines = [TeamMemberInline]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin[Event], TenantAdmin[Event]):
    list_display = ["created_at", "kind", "organisation", "actor", "target"]
    list_select_related = ["organisation", "actor"]
    list_filter = [recent_values("kind"), "created_at", OrganisationFilter]
    search_fields = ["target", "actor__email"]
    id_fields = ["id", "actor"]
    fields = ["created_at", "kind", "organisation", "actor", "target", "data"]
