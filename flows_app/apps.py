from django.apps import AppConfig


class FlowsConfig(AppConfig):
    name = "flows_app"
    verbose_name = "Flows"

    def ready(self) -> None:
        """Make workflows, tools and followers known to every process that may need them."""
        from flows_app import patterns  # noqa: F401
        from flows_app.builtins import lessons  # noqa: F401
        from flows_app.services import (  # noqa: F401
            agent_starts,
            bulk,
            letters,
            mailing,
            notices,
            step_threads,
            workflow_steps,
        )
        from flows_app.worker import agent_task, hook_workflows, step_workflows  # noqa: F401
