"""Django admin of billing: prices, usage, budgets, credits, invoices, payments, reconciliation."""

from billing_app.admin import (  # noqa: F401
    accounts,
    budgets,
    credits,
    invoices,
    payments,
    prices,
    reconciliation,
    usage,
)
