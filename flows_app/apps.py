from django.apps import AppConfig


class FlowsConfig(AppConfig):
    name = "flows_app"
    verbose_name = "Flows"

    def ready(self) -> None:
        """Make workflows, tools and followers known to every process that may need them."""
        from flows_app import patterns  # noqa: F401
