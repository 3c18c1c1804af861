"""Workflows of Microsoft Teams that take a webhook."""
