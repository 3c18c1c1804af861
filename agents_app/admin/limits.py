"""What is left of rate limits. A row that is deleted is full again: so somebody is let through."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from billing_app.models import RateLimitState
from one_project.accounts.tenant_admin import OrganisationFilter, TenantAdmin
from one_project.common.read_only import recent_values


@admin.register(RateLimitState)
class RateLimitStateAdmin(TenantAdmin[RateLimitState]):
    list_display = ["name", "key", "organisation", "shard", "value", "at"]
    list_select_related = ["organisation"]
    list_filter = [recent_values("name"), OrganisationFilter]
    search_fields = ["name", "key"]
    bulk_delete = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
