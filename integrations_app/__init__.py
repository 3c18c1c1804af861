"""Integrations, connections, channels, deliveries and notifications.

So far ``providers``: the one guarded door to the web (``http``), which addresses it may reach
(``addresses``) and web pages as text (``page_text``). It may import billing_app and one_project.*;
agents_app and everything above may import it.
"""
