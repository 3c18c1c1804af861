from billing_app.models.accounts import BilledPeriod, BilledStatus, BillingAccount, InvoicePer
from billing_app.models.budgets import (
    Budget,
    BudgetScope,
    BudgetWindow,
    CreditEntry,
    CreditKind,
    Reservation,
    ReservationStatus,
    Wallet,
)
from billing_app.models.invoices import (
    Invoice,
    InvoiceFile,
    InvoiceKind,
    InvoiceLine,
    InvoiceNumber,
    InvoiceStatus,
    LineKind,
    Payment,
    PaymentStatus,
)
from billing_app.models.prices import ModelPrice, PriceSource, TokenType
from billing_app.models.rate_limits import RateLimitState
from billing_app.models.reconciliation import Reconciliation
from billing_app.models.usage import (
    BegunCall,
    Pricing,
    RollUpMark,
    UsageDaily,
    UsageDailyByPerson,
    UsageRecord,
)

__all__ = [
    "BegunCall",
    "BilledPeriod",
    "BilledStatus",
    "BillingAccount",
    "Budget",
    "BudgetScope",
    "BudgetWindow",
    "CreditEntry",
    "CreditKind",
    "Invoice",
    "InvoiceFile",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceNumber",
    "InvoicePer",
    "InvoiceStatus",
    "LineKind",
    "ModelPrice",
    "Payment",
    "PaymentStatus",
    "PriceSource",
    "Pricing",
    "RateLimitState",
    "Reconciliation",
    "Reservation",
    "ReservationStatus",
    "RollUpMark",
    "TokenType",
    "UsageDaily",
    "UsageDailyByPerson",
    "UsageRecord",
    "Wallet",
]
