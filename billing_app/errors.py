"""What can go wrong with limits, budgets and invoices, for people and programs."""

import math

from one_project.common.errors import AppError, Conflict, InvalidInput


def spoken(seconds: float) -> str:
    """A wait as people say it, rounded up: ``4 s``, ``2 min``, ``3 h``, ``2 days``."""
    for unit, length, most in (("s", 1, 60), ("min", 60, 60), ("h", 3600, 48)):
        amount = max(1, math.ceil(seconds / length))
        if amount < most:
            return f"{amount} {unit}"
    return f"{math.ceil(seconds / 86_400)} days"


class RateLimited(AppError):
    """Not now, but in ``retry_after`` seconds. Nothing was consumed.

    ``name`` is the limit's. With ``throws`` also a reservation that would have to wait raises it.
    """

    code = "rate_limited"
    kind = "RateLimited"
    status = 429
    retryable = True

    def __init__(self, name: str, retry_after: float, reason: str = "") -> None:
        self.name = name
        self.retry_after = retry_after
        what = reason or "This was done too often."
        super().__init__(f"{what} Please wait {spoken(retry_after)}, then try again.")


class ImpossibleCount(InvalidInput):
    """The count is more than the limit can ever give; waiting does not help."""

    code = "impossible_count"


class UnknownLimit(InvalidInput):
    """No limit is defined under this name, and none was given."""

    code = "unknown_limit"


class BudgetExceeded(AppError):
    """A hard limit, or the credits, would not cover the call; nothing was asked of the model.

    The message says which, and what the person can do.
    """

    code = "budget_exceeded"
    status = 402


class PriceMissing(AppError):
    """A model is known, but no price holds at that moment: nothing is billed at nothing."""

    code = "price_missing"
    status = 409


class PeriodUnfinished(InvalidInput):
    """Only months that have ended (in UTC) are billed."""

    code = "period_unfinished"


class InvoiceFinal(Conflict):
    """The invoice is finalised, and does not change: a credit note or voiding is what is left."""

    code = "invoice_final"
    user_message = "This invoice is finalised and does not change. Void it, or write a credit note."


class WrongInvoiceStatus(Conflict):
    """An invoice in this status does not go where it was sent."""

    code = "invoice_status"


class PdfUnavailable(AppError):
    """The system libraries that make PDFs are not on this machine; the page can be printed."""

    code = "pdf_unavailable"
    status = 503
    user_message = (
        "PDFs cannot be made on this server. Open the invoice's page and print it instead."
    )


class PdfBusy(PdfUnavailable):
    """As many are being made here as may be at once."""

    code = "pdf_busy"
    retryable = True
    retry_after = 10.0
    user_message = "Other PDFs are being made right now. Please try again in a moment."
