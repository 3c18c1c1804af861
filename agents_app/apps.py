from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents_app"

    def ready(self) -> None:
        """Register the step that runs tools."""
        from agents_app.services import running_tools  # noqa: F401
