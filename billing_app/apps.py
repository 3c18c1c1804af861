from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing_app"
    verbose_name = "Billing"

    def ready(self) -> None:
        from billing_app.conf import SETTINGS

        for each in SETTINGS:
            _ = each.limit  # a limit nobody can read stops the start, and not the first message
