"""How organisations are billed, and which months have been."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from billing_app.admin.columns import month_of
from billing_app.admin.kept import KeptAdmin, months
from billing_app.models import BilledPeriod, BillingAccount
from one_project.accounts.tenant_admin import OrganisationFilter, TenantAdmin, sees_all


@admin.register(BillingAccount)
class BillingAccountAdmin(TenantAdmin[BillingAccount]):
    """Address and tax are the organisation's own matter; paying ahead, review and terms are the
    installation's."""

    list_display = [
        "organisation", "legal_name", "email", "invoice_per", "needs_review", "is_prepaid",
        "tax_percent", "payment_days",
    ]  # fmt: skip
    list_select_related = ["organisation"]
    list_filter = ["invoice_per", "needs_review", "is_prepaid", OrganisationFilter]
    search_fields = ["legal_name", "email", "organisation__name", "tax_number"]
    id_fields = ["id", "organisation"]
    fieldsets = [
        (None, {"fields": ["organisation"]}),
        ("On invoices", {"fields": ["legal_name", "email", "address", "tax_number"]}),
        ("Tax", {"fields": ["tax_label", "tax_percent"]}),
        ("How", {"fields": ["invoice_per", "needs_review", "is_prepaid", "payment_days"]}),
    ]
    # Also for whom invoices are made: an organisation takes the money of its people's, not its own.
    terms = (
        "invoice_per", "tax_label", "tax_percent", "needs_review", "is_prepaid", "payment_days",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fixed = super().get_readonly_fields(request, obj)
        return fixed if sees_all(request) else [*fixed, *self.terms]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(BilledPeriod)
class BilledPeriodAdmin(KeptAdmin[BilledPeriod]):
    list_display = [month_of("period"), "organisation", "status", "invoice_per", "cutoff", "reason"]
    list_select_related = ["organisation"]
    list_filter = ["status", "invoice_per", months("period"), OrganisationFilter]
    search_fields = ["reason", "organisation__name"]
    id_fields = ["id", "organisation"]
