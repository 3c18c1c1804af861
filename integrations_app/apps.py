from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations_app"
    verbose_name = "Integrations"

    def ready(self) -> None:
        """Register the steps that carry deliveries, the runs of notifications, what is told of
        invoices and budgets, and the ways to pay."""
        from integrations_app.services import (  # noqa: F401
            billing_notices,
            checks,
            deliveries,
            notifications,
            testing,
        )
        from integrations_app.services.payments import register_payers
        from integrations_app.worker import notification_run  # noqa: F401

        register_payers()
