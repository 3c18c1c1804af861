from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents_app"
    verbose_name = "Agents"

    def ready(self) -> None:
        """Register the built-in tools, the steps of tools and documents, the record of calls."""
        from agents_app.builtins import about, clock, connected, sending, sums, weather, web  # noqa: F401
        from agents_app.builtins import documents as document_tools  # noqa: F401
        from agents_app.services import (  # noqa: F401
            budget_subjects,
            documents,
            generate,
            integration_uses,
            metering,
            outside_tools,
            query_vectors,
            running_tools,
            space_tending,
            tenant_indexes,
            tool_deliveries,
        )
        from agents_app.tools import http_kind, integration_kind, mcp_kind  # noqa: F401
