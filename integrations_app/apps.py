from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations_app"
    verbose_name = "Integrations"

    def ready(self) -> None:
        """Register the steps that carry deliveries, and the runs of notifications."""
        from integrations_app.services import checks, deliveries, notifications, testing  # noqa: F401
        from integrations_app.worker import notification_run  # noqa: F401
