"""Webhooks of channels in Discord."""
