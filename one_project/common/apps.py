from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "one_project.common"
    label = "common"
