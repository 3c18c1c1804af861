"""Payments, to look at: money is written down where its invoice is marked as paid."""

from django.contrib import admin

from billing_app.admin.columns import moment, money
from billing_app.admin.kept import KeptAdmin
from billing_app.models import Payment
from one_project.accounts.tenant_admin import OrganisationFilter
from one_project.common.read_only import recent_values


@admin.register(Payment)
class PaymentAdmin(KeptAdmin[Payment]):
    list_display = [
        moment("created_at"), "invoice", "organisation", money("amount"), "status", "provider",
        "provider_ref",
    ]  # fmt: skip
    list_select_related = ["invoice", "organisation"]
    list_filter = ["status", recent_values("provider"), "created_at", OrganisationFilter]
    list_defer = ["meta"]
    search_fields = ["=provider_ref"]
    search_help_text = "An id in full (of a payment or invoice), or a reference of the provider"
    id_fields = ["id", "invoice"]
