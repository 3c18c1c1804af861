"""What the admins here share: nothing is deleted, services write, and what needs a reason asks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.widgets import (  # type: ignore[import-untyped]
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from billing_app.types.periods import period_of, previous_period
from one_project.accounts.models import User
from one_project.accounts.tenant_admin import TenantAdmin, TenantInline
from one_project.common.errors import AppError
from one_project.common.read_only import PlainAdmin, ReadOnlyAdmin

Row = TypeVar("Row", bound=Model)
Parent = TypeVar("Parent", bound=Model)

# A service writes events for each row; a list page holds fifty.
MOST = 200


def months(field: str) -> type[admin.SimpleListFilter]:
    """A filter by one of the last two years' UTC months; ``field`` holds their first days. Without
    a query: the table may be large."""

    class MonthFilter(admin.SimpleListFilter):
        title = "month"
        parameter_name = field

        def lookups(
            self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
        ) -> list[tuple[str, str]]:
            period, found = period_of(timezone.now()), []
            for _ in range(24):
                found.append((period.isoformat(), f"{period:%B %Y}"))
                period = previous_period(period)
            return found

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            known = {value for value, _ in self.lookup_choices}
            return queryset.filter(**{field: self.value()}) if self.value() in known else queryset

    return MonthFilter


class ReasonForm(forms.Form):
    """Why: other people read it."""

    reason = forms.CharField(max_length=1000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))


class AmountForm(forms.Form):
    """Dollars and cents, and why."""

    amount = forms.DecimalField(
        label="Amount in US dollars",
        min_value=0,
        max_digits=14,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "0.01"}),
    )
    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget())


class PaidForm(forms.Form):
    """How it was paid."""

    reference = forms.CharField(
        required=False,
        max_length=120,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Of the bank or the cheque, for those who look for it later",
    )


class ActingAdmin(PlainAdmin[Row]):
    """Actions that call a service for each chosen row, and may ask for something first."""

    def act(
        self,
        request: HttpRequest,
        chosen: "QuerySet[Row] | Iterable[Row]",
        verb: Callable[[Row, User], object],
        done: str,
    ) -> None:
        """``done``: what is said after the number of rows, as in "2 are paid"."""
        by = user_of(request)
        count, failed = 0, []
        for row in list(chosen[:MOST] if isinstance(chosen, QuerySet) else chosen):
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
        if len(failed) > 10:
            self.message_user(request, f"And {len(failed) - 10} more.", messages.ERROR)

    def ask(
        self,
        request: HttpRequest,
        chosen: "QuerySet[Row]",
        form_class: type[forms.Form],
        title: str,
        explained: str = "",
    ) -> forms.Form | TemplateResponse:
        """The answered form; until it is, the page to return. An action calls it first.
        ``explained``: what comes of it."""
        answered = "_answered" in request.POST
        form = form_class(request.POST) if answered else form_class()
        if answered and form.is_valid():
            return form
        # A list may have more than one box to choose it from.
        action = next(filter(None, request.POST.getlist("action")), "")
        hidden = [("action", action), ("_answered", "yes")]
        hidden += [(ACTION_CHECKBOX_NAME, str(row.pk)) for row in chosen[:MOST]]
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "explained": explained,
            "opts": self.opts,
            "form": form,
            "chosen": list(chosen[:MOST]),
            "hidden": hidden,
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/billing_app/ask.html", context)


@dataclass(frozen=True, slots=True)
class Button:
    """A button above a list: a link to ``view`` or, where it changes something, a post to it."""

    label: str
    name: str
    view: Callable[[HttpRequest], HttpResponse]
    changes: bool = True


class ButtonsAdmin(ActingAdmin[Row]):
    """A list with buttons above that need no rows to be chosen. Who sees the list may use them."""

    list_before_template = "admin/billing_app/above_list.html"

    def buttons(self, request: HttpRequest | None = None) -> Sequence[Button]:
        return ()

    def get_urls(self) -> list[URLPattern]:
        own = []
        for button in self.buttons():
            view = require_POST(button.view) if button.changes else button.view
            name = f"{self.opts.app_label}_{self.opts.model_name}_{button.name}"
            wrapped = self.admin_site.admin_view(self._guarded(view))
            own.append(path(f"{button.name}/", wrapped, name=name))
        return [*own, *super().get_urls()]

    def _guarded(
        self, view: Callable[[HttpRequest], HttpResponse]
    ) -> Callable[[HttpRequest], HttpResponse]:
        def guarded(request: HttpRequest) -> HttpResponse:
            if not self.has_view_permission(request):
                return HttpResponse(status=403)
            return view(request)

        return guarded

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = [
            {"label": each.label, "url": self.address(each.name), "changes": each.changes}
            for each in self.buttons(request)
        ]
        return super().changelist_view(request, {**(extra_context or {}), "buttons": shown})

    def address(self, what: str, *args: object) -> str:
        """Of one of this model's pages: ``changelist``, ``change`` or a button's."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{what}"
        return reverse(name, args=args)

    def back(
        self, request: HttpRequest, said: str = "", level: int = messages.SUCCESS
    ) -> HttpResponse:
        """To the list, with a word about what was done."""
        if said:
            self.message_user(request, said, level)
        return HttpResponseRedirect(self.address("changelist"))


class KeptAdmin(ReadOnlyAdmin[Row], TenantAdmin[Row], ButtonsAdmin[Row]):
    """Rows of an organisation that services alone write, and nobody deletes."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        """For ``permissions=["act"]``: which rows are theirs, the queryset says."""
        return self.may(request)


class KeptInline(TenantInline[Row, Parent]):
    """Rows below a row, to look at."""

    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def user_of(request: HttpRequest) -> User:
    """Who is signed in; the admin lets nobody else in."""
    assert isinstance(request.user, User)
    return request.user
