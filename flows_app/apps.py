from django.apps import AppConfig


class FlowsConfig(AppConfig):
    name = "flows_app"
    verbose_name = "Flows"

    def ready(self) -> None:
        """Make the workflows known to every process that may run them."""
        from flows_app import patterns  # noqa: F401
