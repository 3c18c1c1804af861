"""What the checks of the books have found."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html

from billing_app.admin.kept import Button, ButtonsAdmin
from billing_app.models import Reconciliation
from billing_app.runtime.standing import broken_numbers, newest_check, standing
from billing_app.services.reconciling import request_reconciling
from one_project.accounts.navigation import register_banner
from one_project.accounts.tenant_admin import InstallationAdmin, sees_all
from one_project.common.read_only import ReadOnlyAdmin


@admin.register(Reconciliation)
class ReconciliationAdmin(
    ReadOnlyAdmin[Reconciliation], InstallationAdmin[Reconciliation], ButtonsAdmin[Reconciliation]
):
    """It names rows of all organisations: for superusers."""

    list_display = ["created_at", "is_ok", "broken", "took"]
    list_filter = ["is_ok", "created_at"]
    fields = ["created_at", "is_ok", "took", "report"]

    def buttons(self, request: HttpRequest | None = None) -> Sequence[Button]:
        return [Button("Check now", "check", self.check_now)]

    def check_now(self, request: HttpRequest) -> HttpResponse:
        """Have a worker check; its report appears in the list."""
        request_reconciling()
        return self.back(request, "A worker checks the books; the report will be listed here.")

    @admin.display(description="broken")
    def broken(self, row: Reconciliation) -> str:
        return ", ".join(map(str, broken_numbers(row))) or "–"

    @admin.display(description="took", ordering="duration_ms")
    def took(self, row: Reconciliation) -> str:
        return f"{row.duration_ms / 1000:,.1f} s"

    @admin.display(description="report")
    def report(self, row: Reconciliation) -> Any:
        return render_to_string("admin/billing_app/report.html", {"findings": row.findings})


def books_banner(request: HttpRequest) -> str:
    """Red on the start page of superusers, while the books do not agree."""
    check = newest_check() if sees_all(request) else None
    if check is None or check.is_ok:
        return ""
    address = reverse("admin:billing_app_reconciliation_change", args=[check.pk])
    link = 'The books do not agree ({}). <a class="underline" href="{}">See the report</a>'
    return format_html(link, standing(), address)


register_banner(books_banner)
