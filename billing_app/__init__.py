"""Prices, usage, budgets and invoices.

Nothing lives here yet. It may import one_project.* only; every app above may import it.
"""
