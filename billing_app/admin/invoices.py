"""Invoices and credit notes: what happens to them, by actions; nothing of them is edited."""

import re
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html

from billing_app.admin.columns import count, money, month_of, rate
from billing_app.admin.invoice_facts import EXPLAINED, party, totals, verbs_of
from billing_app.admin.kept import (
    AmountForm,
    KeptAdmin,
    KeptInline,
    PaidForm,
    ReasonForm,
    months,
)
from billing_app.errors import PdfUnavailable
from billing_app.models import Invoice, InvoiceKind, InvoiceLine, Payment
from billing_app.services import invoices as service
from billing_app.services.invoice_discarding import discard
from billing_app.services.invoice_files import csv_of, html_of, pdf_of
from billing_app.types.money import ZERO
from one_project.accounts.models import User
from one_project.accounts.tenant_admin import OrganisationFilter, sees_all
from one_project.common.errors import InvalidInput

# As people write numbers: 2026-000012, CN-2026-000003, 12.
LABEL: Final = re.compile(r"(?:(CN-)?(\d{4})-)?0*(\d{1,9})", re.IGNORECASE | re.ASCII)


class StateFilter(admin.SimpleListFilter):
    """Drafts and finalised ones."""

    title = "state"
    parameter_name = "state"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return [("draft", "Drafts"), ("final", "Finalised")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "draft":
            return queryset.filter(finalized_at=None)
        return queryset.exclude(finalized_at=None) if self.value() == "final" else queryset


class LineInline(KeptInline[InvoiceLine, Invoice]):
    model = InvoiceLine
    fields = [
        "position", "kind", "description", count("quantity"), rate("unit_price"),
        money("exact", is_exact=True), money("amount", is_exact=True), "is_estimated",
    ]  # fmt: skip
    ordering = ["position"]
    hide_title = True


class PaymentInline(KeptInline[Payment, Invoice]):
    model = Payment
    fields = ["created_at", "provider", "provider_ref", money("amount"), "status"]
    ordering = ["created_at"]
    hide_title = True


@admin.register(Invoice)
class InvoiceAdmin(KeptAdmin[Invoice]):
    list_display = [
        "label", "organisation", "whose", month_of("period"), "kind", "status", money("total"),
        "due_on", "paid_at", "sent_at", "files",
    ]  # fmt: skip
    list_select_related = ["organisation"]
    list_filter = ["status", StateFilter, "kind", months("period"), OrganisationFilter]
    list_defer = ["issuer", "meta"]
    date_hierarchy = "period"
    search_fields = ["organisation__name"]
    search_help_text = "A number (2026-000012, CN-2026-000003, 12), an id in full, an organisation"
    id_fields = ["id", "user_id", "credits", "replaced_by"]
    fields = [
        "label", "organisation", "whose", "kind", month_of("period"), "status", "reason",
        money("subtotal"), money("tax"), money("total"), "currency", "finalized_at", "due_on",
        "paid_at", "sent_at", "voided_at", "credits", "replaced_by", "billed_to", "issued_by",
        "content_hash", "files", "created_at",
    ]  # fmt: skip
    inlines = [LineInline, PaymentInline]
    change_form_before_template = "admin/billing_app/invoice_actions.html"
    actions = [
        "finalise", "mark_paid", "mark_failed", "retry", "resend", "regenerate", "credit",
        "refund", "void", "discard",
    ]  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Invoice]", search_term: str
    ) -> "tuple[QuerySet[Invoice], bool]":
        label = LABEL.fullmatch(search_term.strip())
        if label is None:
            return super().get_search_results(request, queryset, search_term)
        note, year, number = label.groups()
        found = queryset.filter(number=int(number))
        if year:
            kind = InvoiceKind.CREDIT_NOTE if note else InvoiceKind.INVOICE
            found = found.filter(year=int(year), kind=kind)
        return found, False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context: dict[str, Any] = getattr(response, "context_data", None) or {}
        if "cl" in context:
            context["totals"] = totals(context["cl"].queryset)
        return response

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **named: Any
    ) -> Any:
        """With the actions of the list below the head."""
        response = super().changeform_view(request, object_id, *args, **named)
        context: dict[str, Any] = getattr(response, "context_data", None) or {}
        invoice = context.get("original")
        if isinstance(invoice, Invoice):
            may = self.get_actions(request).values()
            context |= {
                "invoice_id": invoice.pk,
                "list_address": self.address("changelist"),
                "verbs": [(name, said) for _, name, said in may if name in verbs_of(invoice)],
            }
        return response

    @admin.display(description="number", ordering="number")
    def label(self, row: Invoice) -> str:
        return row.label

    @admin.display(description="for", ordering="user_id")
    def whose(self, row: Invoice) -> str:
        if row.user_id is None:
            return "the organisation"
        return row.customer.get("name") or row.customer.get("email") or str(row.user_id)

    @admin.display(description="billed to")
    def billed_to(self, row: Invoice) -> str:
        return party(row.customer)

    @admin.display(description="by")
    def issued_by(self, row: Invoice) -> str:
        return party(row.issuer)

    @admin.display(description="files")
    def files(self, row: Invoice) -> str:
        links = [self.address(what, row.pk) for what in ("pdf", "print", "csv")]
        form = (
            '<span class="is-whole"><a class="is-link" href="{}">PDF</a> '
            '<a class="is-link" href="{}">Print</a> <a class="is-link" href="{}">CSV</a></span>'
        )
        return format_html(form, *links)

    # --- Files: also for a superuser who is no member of the organisation.

    def get_urls(self) -> list[URLPattern]:
        views = {"pdf": self.pdf, "csv": self.csv, "print": self.printed}
        own = [
            path(
                f"<uuid:invoice_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{name}",
            )
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def pdf(self, request: HttpRequest, invoice_id: UUID) -> HttpResponse:
        invoice = self._invoice(request, invoice_id)
        try:
            return _file(pdf_of(invoice), f"{invoice.label}.pdf", "application/pdf")
        except PdfUnavailable as error:
            return HttpResponse(error.user_message, status=error.status, content_type="text/plain")

    def csv(self, request: HttpRequest, invoice_id: UUID) -> HttpResponse:
        invoice = self._invoice(request, invoice_id)
        return _file(b"".join(csv_of(invoice)), f"{invoice.label}.csv", "text/csv; charset=utf-8")

    def printed(self, request: HttpRequest, invoice_id: UUID) -> HttpResponse:
        return HttpResponse(html_of(self._invoice(request, invoice_id)))

    def _invoice(self, request: HttpRequest, invoice_id: UUID) -> Invoice:
        invoice = self.get_queryset(request).filter(pk=invoice_id).first()
        if invoice is None or not self.has_view_permission(request, invoice):
            raise Http404
        return invoice

    # --- Actions

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Who is billed does not say what of it is paid, void or credited."""
        return sees_all(request)

    @admin.action(description="Finalise drafts", permissions=["settle"])
    def finalise(self, request: HttpRequest, rows: QuerySet[Invoice]) -> None:
        self.act(request, rows, lambda row, by: service.finalise(row, by=by), "finalised")

    @admin.action(description="Mark as paid", permissions=["settle"])
    def mark_paid(self, request: HttpRequest, rows: QuerySet[Invoice]) -> HttpResponse | None:
        answer = self.ask(request, rows, PaidForm, "Mark as paid", EXPLAINED["paid"])
        if isinstance(answer, HttpResponse):
            return answer
        given = answer.cleaned_data["reference"] or "by hand"

        def verb(row: Invoice, by: User) -> None:
            # A reference counts once: of several invoices, each has its own.
            service.mark_paid(row, by=by, ref=f"{given} · {row.label}")

        self.act(request, rows, verb, "marked as paid")
        return None

    @admin.action(description="Mark payment as failed", permissions=["settle"])
    def mark_failed(self, request: HttpRequest, rows: QuerySet[Invoice]) -> HttpResponse | None:
        answer = self.ask(request, rows, ReasonForm, "Mark payment as failed", EXPLAINED["failed"])
        if isinstance(answer, HttpResponse):
            return answer
        why = answer.cleaned_data["reason"]
        done = "marked as failed"
        self.act(request, rows, lambda row, by: service.mark_failed(row, reason=why, by=by), done)
        return None

    @admin.action(description="Ask for payment again (failed)", permissions=["settle"])
    def retry(self, request: HttpRequest, rows: QuerySet[Invoice]) -> None:
        self.act(request, rows, lambda row, by: service.retry_payment(row, by=by), "pending again")

    @admin.action(description="Send again", permissions=["act"])
    def resend(self, request: HttpRequest, rows: QuerySet[Invoice]) -> None:
        self.act(request, rows, lambda row, by: service.resend(row, by=by), "sent again")

    @admin.action(description="Make anew (drafts and void ones)", permissions=["settle"])
    def regenerate(self, request: HttpRequest, rows: QuerySet[Invoice]) -> None:
        self.act(request, rows, lambda row, by: service.regenerate(row, by=by), "made anew")

    @admin.action(description="Write a credit note", permissions=["settle"])
    def credit(self, request: HttpRequest, rows: QuerySet[Invoice]) -> HttpResponse | None:
        answer = self.ask(request, rows, AmountForm, "Write a credit note", EXPLAINED["credit"])
        if isinstance(answer, HttpResponse):
            return answer
        amount: Decimal = answer.cleaned_data["amount"]
        why = answer.cleaned_data["reason"]

        def verb(row: Invoice, by: User) -> Invoice:
            if amount <= ZERO:
                raise InvalidInput("A credit note is for more than nothing.")
            return service.credit(row, amount=amount, reason=why, by=by)

        self.act(request, rows, verb, "credited")
        return None

    @admin.action(description="Note money that was sent back", permissions=["settle"])
    def refund(self, request: HttpRequest, rows: QuerySet[Invoice]) -> HttpResponse | None:
        answer = self.ask(
            request, rows, AmountForm, "Note money that was sent back", EXPLAINED["refund"]
        )
        if isinstance(answer, HttpResponse):
            return answer
        amount: Decimal = answer.cleaned_data["amount"]
        why = answer.cleaned_data["reason"]

        def verb(row: Invoice, by: User) -> Invoice:
            ref = f"{why[:120]} · {amount} · {row.label}"  # sent twice, it is the same
            return service.refund(row, amount=amount, reason=why, ref=ref, by=by)

        self.act(request, rows, verb, "noted as sent back")
        return None

    @admin.action(description="Void", permissions=["settle"])
    def void(self, request: HttpRequest, rows: QuerySet[Invoice]) -> HttpResponse | None:
        answer = self.ask(request, rows, ReasonForm, "Void", EXPLAINED["void"])
        if isinstance(answer, HttpResponse):
            return answer
        why = answer.cleaned_data["reason"]
        self.act(request, rows, lambda row, by: service.void(row, reason=why, by=by), "void")
        return None

    @admin.action(description="Discard drafts", permissions=["settle"])
    def discard(self, request: HttpRequest, rows: QuerySet[Invoice]) -> None:
        """Their usage is on the next invoices."""
        self.act(request, rows, lambda row, by: discard(row, by=by), "discarded")


def _file(content: bytes, name: str, content_type: str) -> HttpResponse:
    return HttpResponse(
        content,
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
