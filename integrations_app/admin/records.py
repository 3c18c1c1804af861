"""What the admins here share: nothing sealed, and actions that call a service for each row."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.contrib import messages
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest

from integrations_app.models.sealed import SealedField
from one_project.accounts.models import User
from one_project.accounts.tenant_admin import TenantAdmin, TenantInline
from one_project.common.errors import AppError
from one_project.common.read_only import ReadOnlyAdmin

Row = TypeVar("Row", bound=Model)
Parent = TypeVar("Parent", bound=Model)

# A service writes events and tells people for each row; a list page holds fifty.
MOST = 200
# Not secrets themselves, but of no use to anybody who looks.
_HASHES = ("state_hash", "browser_hash", "key_hash", "body_hash", "fingerprint")


def unshown(model: type[Model]) -> list[str]:
    """Columns that are in no page: what is sealed, and hashes of secrets."""
    columns: list[Field[Any, Any]] = list(model._meta.concrete_fields)
    return [one.name for one in columns if isinstance(one, SealedField) or one.name in _HASHES]


class RecordAdmin(ReadOnlyAdmin[Row], TenantAdmin[Row]):
    """Rows of an organisation that services alone write. ``hidden``: more columns to leave out."""

    hidden: ClassVar[tuple[str, ...]] = ()

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*unshown(self.model), *self.hidden]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Row]":
        return super().get_queryset(request).defer(*unshown(self.model))

    def has_act_permission(self, request: HttpRequest) -> bool:
        """For ``permissions=["act"]``: which rows are theirs, the queryset says."""
        return self.may(request)

    def act(
        self,
        request: HttpRequest,
        rows: "QuerySet[Row]",
        verb: Callable[[Row, User], object],
        done: str,
    ) -> None:
        """``done``: what is said after the number of rows, as in "2 are paused"."""
        by = request.user
        assert isinstance(by, User)
        count, failed = 0, []
        for row in list(rows[:MOST]):
            try:
                verb(row, by)
            except AppError as error:
                failed.append(f"{row}: {error.user_message}")
            else:
                count += 1
        if count:
            self.message_user(request, f"{count} {done}.", messages.SUCCESS)
        for told in failed[:10]:
            self.message_user(request, told, messages.ERROR)


class RecordInline(TenantInline[Row, Parent]):
    """Rows below a row, to look at."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
