"""Actions on chosen rows: one service call for each, and what came of it in one or two lines."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from one_project.accounts.models import User
from one_project.accounts.tenant_admin import TenantAdmin
from one_project.common.errors import AppError, NotFound
from one_project.common.read_only import ReadOnlyAdmin

Row = TypeVar("Row", bound=Model)

# A service writes events and tells people for each row; a list page holds fifty.
MOST = 500


class LookedAtAdmin(ReadOnlyAdmin[Row], TenantAdmin[Row]):
    """Rows of an organisation that services alone write; ``act`` is how an action calls one."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        """For ``permissions=["act"]``: the services ask again, row by row."""
        return self.may(request)

    def act(
        self,
        request: HttpRequest,
        rows: "QuerySet[Row] | Iterable[Row]",
        verb: Callable[[Row, User], object],
        done: str,
    ) -> None:
        """``done``: what is said after the number of rows, as in "2 are archived"."""
        by = request.user
        assert isinstance(by, User)
        count, failed = 0, []
        for row in list(rows[:MOST] if isinstance(rows, QuerySet) else rows):
            try:
                verb(row, by)
            except NotFound:
                failed.append(f"{row}: only staff of its organisation do this.")
            except AppError as error:
                failed.append(f"{row}: {error.user_message}")
            else:
                count += 1
        if count:
            self.message_user(request, f"{count} {done}.", messages.SUCCESS)
        for told in failed[:10]:
            self.message_user(request, told, messages.ERROR)
        if len(failed) > 10:
            self.message_user(request, f"And {len(failed) - 10} more.", messages.ERROR)
