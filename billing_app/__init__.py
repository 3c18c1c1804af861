"""Prices, usage, budgets and credits, invoices, and rate limits.

Where things are:

- ``types``: ``money`` (Decimal, US dollars, rounding), ``periods`` (UTC months), ``usage``
  (``Use``: what is handed in), ``rate_limits``. ``conf``: settings. ``errors``.
- ``models``: ``ModelPrice``; ``UsageRecord`` (raw usage, append only) and its sums by day;
  ``Budget``, ``Wallet``, ``Reservation``, ``CreditEntry``; ``BillingAccount``, ``BilledPeriod``;
  ``Invoice``, ``InvoiceLine``, ``InvoiceFile``, ``Payment``; ``Reconciliation``;
  ``RateLimitState``. What the database itself refuses is in migration 0003.
- ``access``: whose invoices a person sees.
- ``runtime``: ``pricing`` (a use to its cost), ``spending`` (which limits hold), ``billable``
  (usage less lines), ``documents`` (an invoice in words), ``usage_reading`` (figures of pages),
  ``invariants`` and ``checking_*`` (the nine checks), ``deciding`` (rate limits).
- ``services``: ``prices``, ``usage`` (record_usage), ``rolling_up``, ``budgets`` (reserve, settle,
  release), ``credits``, ``invoicing`` (which months), ``invoices`` (what becomes of one),
  ``invoice_files``, ``payments`` (who takes money, a registry), ``reconciling``, ``costs`` (of
  messages and threads), ``rate_limits`` and ``sending``.

It may import one_project.* only; every app above may import it, and hears of invoices, blocked
months and budgets through registries (``on_invoice``, ``on_blocked``, ``on_budget_warning``).
See docs/usage.md, invoices.md, budgets.md, prices.md, rate-limits.md and docs/adr/0008-billing.md.
"""
