from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "one_project.workflows"
    label = "workflows"

    def ready(self) -> None:
        from one_project.common.metrics import collector
        from one_project.workflows.views.figures import figures

        collector(figures)
