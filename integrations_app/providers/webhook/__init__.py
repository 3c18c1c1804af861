"""Signed requests to an address of the organisation (Standard Webhooks)."""
