"""Integrations, connections, channels, deliveries and notifications.

Nothing lives here yet. It may import billing_app and one_project.*; agents_app and everything
above may import it.
"""
