"""Stripe: invoices are paid on pages of Stripe Checkout."""
