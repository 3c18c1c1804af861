"""What every admin here has in common, and the admin of what is only looked at there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import JSONField, Model, Q, QuerySet
from django.http import HttpRequest
from unfold.paginator import InfinitePaginator  # type: ignore[import-untyped]

from one_project.common.ids import parse_id
from one_project.common.masking import shown

# unfold ships no types; at run time its classes stand where Django's stand for the type checker.
if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, TabularInline
else:
    from unfold.admin import ModelAdmin, TabularInline

__all__ = ["ModelAdmin", "PlainAdmin", "ReadOnlyAdmin", "TabularInline", "recent_values"]

Row = TypeVar("Row", bound=Model)

RECENT = 2_000


class PlainAdmin(ModelAdmin[Row]):
    """Newest first, found by any id in full, and no bulk deletion unless ``bulk_delete``.

    ``id_fields``: columns an id that is searched for may stand in. ``list_defer``: columns that
    are too long to read for a list.
    """

    # UUIDv7 keys are in the order of creation, and their index is always there.
    ordering: ClassVar[Any] = ["-id"]
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_fullwidth = True
    warn_unsaved_form = True
    id_fields: ClassVar[Sequence[str]] = ["id"]
    list_defer: ClassVar[Sequence[str]] = []
    bulk_delete = False

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Row]":
        queryset: QuerySet[Row] = super().get_queryset(request)
        if self.list_defer and _is_list(request):
            queryset = queryset.defer(*self.list_defer)
        return queryset

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """A filter by what no row can hold leads to the list without filters, as other nonsense
        does; the search does without it by itself."""
        if any("\0" in value for name in request.GET for value in request.GET.getlist(name)
               if name != SEARCH_VAR):  # fmt: skip
            raise IncorrectLookupParameters
        return super().get_changelist_instance(request)

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Row]", search_term: str
    ) -> "tuple[QuerySet[Row], bool]":
        wanted = parse_id(search_term.strip())
        if wanted is None:
            return super().get_search_results(request, queryset, search_term.replace("\0", ""))
        # Not by ``search_fields``: their comparison as text would use no index.
        anywhere = Q.create([(name, wanted) for name in self.id_fields], connector=Q.OR)
        return queryset.filter(anywhere), False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = dict(super().get_actions(request))
        if not self.bulk_delete:
            actions.pop("delete_selected", None)
        return actions


class ReadOnlyAdmin(PlainAdmin[Row]):
    """For rows that change by the verbs of services only: a hand in them could break a rule."""

    # Counting a large table costs more than the page it is for.
    paginator = InfinitePaginator

    def has_add_permission(self, request: HttpRequest, *parent: object) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All columns unless ``fields`` names some: when it was made first, JSON last."""
        if self.fields:
            return self.fields
        left_out = {"id", "created_at", *(self.get_exclude(request, obj) or ())}
        columns = [field for field in self.opts.concrete_fields if field.name not in left_out]
        columns.sort(key=lambda field: isinstance(field, JSONField))
        return ["id", "created_at", *(field.name for field in columns)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Also those that no form has, like times.
        return self.get_fields(request, obj)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Row | None:
        """The row with its JSON made fit to be shown; it is never saved."""
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            for field in found._meta.concrete_fields:
                if isinstance(field, JSONField):
                    setattr(found, field.attname, shown(getattr(found, field.attname)))
        return found


def recent_values(field: str, title: str = "") -> type[admin.SimpleListFilter]:
    """A filter by what ``field`` holds in the newest rows one may see.

    Django's own reads the whole table for its choices.
    """

    class RecentValues(admin.SimpleListFilter):
        parameter_name = field

        def lookups(
            self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
        ) -> list[tuple[str, str]]:
            newest = model_admin.get_queryset(request).order_by("-pk").values(field)[:RECENT]
            values = {row[field] for row in newest}
            return [(str(value), str(value)) for value in sorted(values - {None, ""})]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

    RecentValues.title = title or field.replace("_", " ")
    return RecentValues


def _is_list(request: HttpRequest) -> bool:
    match = request.resolver_match
    return bool(match and match.url_name and match.url_name.endswith("_changelist"))
