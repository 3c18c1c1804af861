"""Invoices as lists: whose a person may see, filtered, with their sums."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from django.db.models import Q, QuerySet, Sum

from billing_app.access import sees_organisation
from billing_app.models import Invoice, InvoiceKind, InvoiceStatus
from billing_app.types.money import ZERO
from one_project.accounts.models import Membership
from one_project.common.text import clean_line

DRAFT: Final = "draft"
STATUSES: Final = (DRAFT, *InvoiceStatus.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Filters; what is empty or makes no sense is left out. ``who``: of a name or an e-mail."""

    month: date | None = None
    status: str = ""
    who: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Asked":
        """From a query: ``month`` (2026-05), ``status``, ``q``."""
        status = given.get("status", "")
        return cls(
            month=_month(given.get("month", "")),
            status=status if status in STATUSES else "",
            who=clean_line(given.get("q", ""), 100),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Of finalised ones that are not void, credit notes taken off; ``paid`` and ``open`` of
    invoices."""

    billed: Decimal
    paid: Decimal
    open: Decimal


def visible_invoices(membership: Membership) -> QuerySet[Invoice]:
    """Finalised ones of the person; all of the organisation for those who administer it."""
    found = Invoice.objects.filter(organisation_id=membership.organisation_id)
    if not sees_organisation(membership):
        found = found.filter(user_id=membership.user_id, finalized_at__isnull=False)
    return found.order_by("-period", "finalized_at", "-year", "-number", "pk")


def filtered(found: QuerySet[Invoice], asked: Asked) -> QuerySet[Invoice]:
    if asked.month is not None:
        found = found.filter(period=asked.month)
    if asked.status == DRAFT:
        found = found.filter(finalized_at=None)
    elif asked.status:
        found = found.filter(status=asked.status, finalized_at__isnull=False)
    if asked.who:
        wanted = Q(customer__name__icontains=asked.who) | Q(customer__email__icontains=asked.who)
        found = found.filter(wanted)
    return found


def sums_of(found: QuerySet[Invoice]) -> Sums:
    """One statement."""
    standing = Q(finalized_at__isnull=False) & ~Q(status=InvoiceStatus.VOID)
    invoices = standing & Q(kind=InvoiceKind.INVOICE)
    sums = found.order_by().aggregate(
        billed=Sum("total", filter=standing),
        paid=Sum("total", filter=invoices & Q(status=InvoiceStatus.PAID)),
        open=Sum("total", filter=invoices & ~Q(status=InvoiceStatus.PAID)),
    )
    return Sums(**{name: value or ZERO for name, value in sums.items()})


def months_of(membership: Membership) -> list[date]:
    """Those that have invoices the person may see, newest first."""
    months = visible_invoices(membership).order_by("-period").values_list("period", flat=True)
    return list(months.distinct()[:120])


def _month(text: str) -> date | None:
    try:
        return date.fromisoformat(f"{text[:7]}-01") if text.isascii() else None
    except ValueError:
        return None
