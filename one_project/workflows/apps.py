from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "one_project.workflows"
    label = "workflows"
