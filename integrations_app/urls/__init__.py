"""Addresses: each part brings its own, by the place it is mounted at."""

from django.urls import URLPattern

from integrations_app.urls import activity, connections, notifications, programs, tools

PARTS = (connections, activity, notifications, programs, tools)

# At /connections/, as "connections": accounts, providers, deliveries, keys, servers.
connection_urls: list[URLPattern] = [
    one for part in PARTS for one in getattr(part, "connection_urls", [])
]
# At /notifications/, as "notifications": a person's own, and what they want to hear.
notification_urls: list[URLPattern] = [
    one for part in PARTS for one in getattr(part, "notification_urls", [])
]
# At /hooks/, as "hooks": what providers and programs call, signed.
hook_urls: list[URLPattern] = [one for part in PARTS for one in getattr(part, "hook_urls", [])]
# At /api/v1/, as "api": programs with a key.
api_urls: list[URLPattern] = [one for part in PARTS for one in getattr(part, "api_urls", [])]
