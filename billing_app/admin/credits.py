"""Wallets, reservations and credits, to look at; credits are given and corrected by superusers."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.widgets import (  # type: ignore[import-untyped]
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from billing_app.admin.columns import moment, money
from billing_app.admin.kept import Button, KeptAdmin, user_of
from billing_app.models import CreditEntry, Reservation, Wallet
from billing_app.services import credits as service
from billing_app.types.money import spoken
from one_project.accounts.models import Organisation
from one_project.accounts.tenant_admin import OrganisationFilter, sees_all
from one_project.common.errors import AppError
from one_project.common.ids import new_id

GIVES = "Credits are paid for beforehand: calls are taken off them. What is given is added."
CORRECTS = "Adds to the balance, or with a minus takes off. Entries before it stay as they are."


class CreditForm(forms.Form):
    """``reference`` is made with the page: sent twice, it is booked once."""

    organisation = forms.ModelChoiceField(
        Organisation.objects.order_by("name"), widget=UnfoldAdminSelectWidget()
    )
    amount = forms.DecimalField(
        label="Amount in US dollars",
        max_digits=14,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "0.01"}),
    )
    note = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget())
    reference = forms.CharField(max_length=100, widget=forms.HiddenInput())


@admin.register(CreditEntry)
class CreditEntryAdmin(KeptAdmin[CreditEntry]):
    list_display = [
        moment("created_at"), "organisation", "kind", money("amount"), money("balance_after"),
        "note", "ref",
    ]  # fmt: skip
    list_select_related = ["organisation"]
    list_filter = ["kind", "created_at", OrganisationFilter]
    list_defer = ["meta"]
    search_fields = ["note", "=ref"]
    id_fields = ["id", "wallet", "by_id"]

    def buttons(self, request: HttpRequest | None = None) -> Sequence[Button]:
        if request is not None and not sees_all(request):
            return []
        return [
            Button("Grant credits", "grant", self.grant, changes=False),
            Button("Correct a balance", "adjust", self.adjust, changes=False),
        ]

    def grant(self, request: HttpRequest) -> HttpResponse:
        return self._move(request, "Grant credits", is_gift=True)

    def adjust(self, request: HttpRequest) -> HttpResponse:
        return self._move(request, "Correct a balance", is_gift=False)

    def _move(self, request: HttpRequest, title: str, *, is_gift: bool) -> HttpResponse:
        """A form, and then the service. Customers do not give themselves credits."""
        if not sees_all(request):
            raise PermissionDenied
        form = CreditForm(request.POST or None, initial={"reference": f"admin {new_id()}"})
        if request.method == "POST" and form.is_valid():
            values: dict[str, Any] = form.cleaned_data
            organisation: Organisation = values["organisation"]
            amount: Decimal = values["amount"]
            verb = service.grant if is_gift else service.adjust
            try:
                entry = verb(
                    organisation,
                    amount,
                    ref=values["reference"],
                    by=user_of(request),
                    note=values["note"],
                )
            except AppError as error:
                form.add_error(None, error.user_message)
            else:
                left = spoken(entry.balance_after)
                return self.back(request, f"{organisation} has {left} now.", messages.SUCCESS)
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "explained": GIVES if is_gift else CORRECTS,
            "opts": self.opts,
            "form": form,
            "list_address": self.address("changelist"),
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/billing_app/ask.html", context)


@admin.register(Wallet)
class WalletAdmin(KeptAdmin[Wallet]):
    list_display = [
        "organisation", "what", "window_start", money("granted"), money("spent"),
        money("reserved"), "warned_at",
    ]  # fmt: skip
    list_select_related = ["organisation", "budget"]
    list_filter = ["budget__scope", "budget__window", OrganisationFilter]
    list_defer = ["meta"]
    search_fields = ["organisation__name"]
    search_help_text = "An id in full (of a wallet, budget, person, team or agent)"
    id_fields = ["id", "budget", "subject_id"]

    @admin.display(description="budget", ordering="budget")
    def what(self, row: Wallet) -> str:
        """Of what: credits are the wallet without a budget."""
        return str(row.budget or "credits")


@admin.register(Reservation)
class ReservationAdmin(KeptAdmin[Reservation]):
    list_display = [
        moment("created_at"), "organisation", money("amount"), "status", "expires_at", "ended_at",
    ]  # fmt: skip
    list_select_related = ["organisation"]
    list_filter = ["status", "created_at", OrganisationFilter]
    list_defer = ["meta"]
    search_fields = ["organisation__name"]
