"""The admin of rows under row-level security, which look empty without a tenant.

Every page is made, up to its last byte, within the organisation it is about: a list shows one
organisation at a time, and a row is looked for in those that the person administers.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar
from uuid import UUID

from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.template.response import SimpleTemplateResponse

from one_project.accounts.models import Organisation
from one_project.accounts.tenant_admin import (
    OrganisationFilter,
    TenantAdmin,
    administered,
    sees_all,
)
from one_project.common.ids import parse_id
from one_project.common.tenancy import in_tenant

Row = TypeVar("Row", bound=Model)

# Organisations that are looked through for a row; the one named in the address comes first.
SEARCHED: Final = 1000
_CHOSEN: Final = "_secured_organisation"
_PRESERVED: Final = "_changelist_filters"  # Django's own name for the list one came from


def chosen_organisation(request: HttpRequest) -> UUID | None:
    """The organisation this page of the admin is about; None: there is none."""
    found: UUID | None = getattr(request, _CHOSEN, None)
    return found


class OneOrganisation(OrganisationFilter):
    """One organisation at a time; there is no "All"."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        shown = str(chosen_organisation(self.request))
        for key, name in self.lookup_choices:
            yield {
                "selected": key == shown,
                "query_string": changelist.get_query_string({self.parameter_name: key}),
                "display": name,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset  # the list is already that of one organisation


class SecuredTenantAdmin(TenantAdmin[Row]):
    """A ``TenantAdmin`` whose model is under ``RowSecurity`` and has ``organisation`` itself.

    Other secured tables that its pages read are seen in the same organisation. Choices of secured
    rows belong in ``raw_id_fields``: what answers ``autocomplete_fields`` knows of no tenant.
    """

    def get_queryset(self, request: HttpRequest) -> QuerySet[Row]:
        # Named although the database would see to it: that is the wall behind this one.
        return super().get_queryset(request).filter(organisation=chosen_organisation(request))

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        own = [
            each
            for each in super().get_list_filter(request)
            if not (isinstance(each, type) and issubclass(each, OrganisationFilter))
        ]
        return [OneOrganisation, *own]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial = super().get_changeform_initial_data(request)
        return {"organisation": chosen_organisation(request)} | initial

    def changelist_view(self, request: HttpRequest, *args: Any, **named: Any) -> Any:
        return self._within(request, None, super().changelist_view, *args, **named)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **named: Any
    ) -> Any:
        return self._within(request, object_id, super().changeform_view, object_id, *args, **named)

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **named: Any) -> Any:
        return self._within(request, object_id, super().delete_view, object_id, *args, **named)

    def history_view(self, request: HttpRequest, object_id: str, *args: Any, **named: Any) -> Any:
        return self._within(request, object_id, super().history_view, object_id, *args, **named)

    def _within(
        self,
        request: HttpRequest,
        object_id: str | None,
        view: Callable[..., HttpResponseBase],
        *args: Any,
        **named: Any,
    ) -> HttpResponseBase:
        """Run ``view`` and render its page in the organisation of the row, else the chosen one."""
        wanted = _wanted(request)
        organisation_id = (
            self._choose(request, wanted)
            if object_id is None
            else self._find(request, unquote(object_id), wanted)
        )
        setattr(request, _CHOSEN, organisation_id)
        if organisation_id is None:
            return view(request, *args, **named)
        with in_tenant(organisation_id):
            response = view(request, *args, **named)
            if isinstance(response, SimpleTemplateResponse):
                response.render()
        return response

    def _choose(self, request: HttpRequest, wanted: UUID | None) -> UUID | None:
        organisations = _organisations(request)
        likely = organisations.filter(pk=wanted).first() if wanted else None
        return likely or organisations.first()

    def _find(self, request: HttpRequest, row_id: str, wanted: UUID | None) -> UUID | None:
        """The organisation of a row, among those the person administers."""
        try:
            key = self.opts.pk.to_python(row_id)
        except (ValidationError, ValueError):
            return None
        rows = self.model._base_manager.filter(pk=key)
        organisations = _organisations(request)
        likely = organisations.filter(pk=wanted) if wanted else []
        with transaction.atomic():
            for organisation_id in [*likely, *organisations[:SEARCHED]]:
                with in_tenant(organisation_id):
                    if rows.filter(organisation=organisation_id).exists():
                        return organisation_id
        return None


def _organisations(request: HttpRequest) -> "QuerySet[Organisation, UUID]":
    """Ids of the organisations that the person administers, by name."""
    found = Organisation.objects.order_by("name", "pk")
    if not sees_all(request):
        found = found.filter(pk__in=administered(request))
    return found.values_list("pk", flat=True)


def _wanted(request: HttpRequest) -> UUID | None:
    """The organisation that the form, the address or the list before it names."""
    name = OneOrganisation.parameter_name
    before = QueryDict(request.GET.get(_PRESERVED))
    for source in (request.POST, request.GET, before):
        if (text := source.get(name)) and (found := parse_id(text)):
            return found
    return None
