from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "one_project.accounts"
    label = "accounts"
