from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing_app"
    verbose_name = "Billing"

    def ready(self) -> None:
        from billing_app.conf import SETTINGS, invoice_per
        from billing_app.runtime.standing import standing
        from billing_app.services import (
            invoice_files,  # noqa: F401  makes PDFs of what is finalised
            reconciling,  # noqa: F401
        )
        from one_project.common import health

        for each in SETTINGS:
            _ = each.limit  # a limit nobody can read stops the start, and not the first message
        invoice_per()
        health.detail("billing", standing)
