"""What allauth does our way: a new person gets an organisation of their own."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from one_project.accounts.models import User
from one_project.accounts.services.organisations import create_organisation


class AccountAdapter(DefaultAccountAdapter):
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        saved: User = super().save_user(request, user, form, commit=commit)
        if commit:
            create_organisation(name=f"{saved.display_name}'s organisation", owner=saved)
        return saved
