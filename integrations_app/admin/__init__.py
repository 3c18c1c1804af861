"""Integrations, connections, deliveries and notifications, in the Django admin.

To look at, and to stop: rows change by services, on their own pages or by actions here. What is
sealed is in no page; credentials are replaced through a field that shows nothing.
"""

from integrations_app.admin import channels, deliveries, integrations, notifications, outside

__all__ = ["channels", "deliveries", "integrations", "notifications", "outside"]
