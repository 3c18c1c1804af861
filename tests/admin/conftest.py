"""People who look into the admin, and the addresses of its pages."""

from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from one_project.accounts.models import User
from tests.people import World


def page(model: type[Model], what: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


def signed_in(user: User) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(user)
    return client


@pytest.fixture
def root(db: None) -> Client:
    """A superuser's browser."""
    return signed_in(User.objects.create_superuser("root@example.test", "x"))


@pytest.fixture
def own_admin(world: World) -> Client:
    """The browser of Adam: admin of Acme, let into the Django admin, no superuser."""
    world.adam.is_staff = True
    world.adam.save()
    return signed_in(world.adam)
