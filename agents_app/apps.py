from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents_app"
    verbose_name = "Agents"

    def ready(self) -> None:
        """Register the built-in tools, the step that runs tools, the record of programs' calls."""
        from agents_app.builtins import about, clock, documents, sums, weather, web  # noqa: F401
        from agents_app.services import generate, running_tools  # noqa: F401
