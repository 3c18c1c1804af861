"""The wider content security policy is the admin's alone."""

import pytest
from django.test import Client

from tests.admin.conftest import signed_in
from tests.people import World

WIDER = ("'unsafe-eval'", "'unsafe-inline'")


def policy(client: Client, path: str) -> str:
    return client.get(path)["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/admin/", "/admin/agents_app/agent/", "/admin/login/"])
def test_pages_of_the_admin_have_the_wider_policy(root: Client, path: str) -> None:
    found = {part.split()[0]: part.split()[1:] for part in policy(root, path).split("; ") if part}
    assert "'unsafe-eval'" in found["script-src"]
    assert "'unsafe-inline'" not in found["script-src"]
    assert found["style-src"] == ["'self'", "'unsafe-inline'"]
    assert found["default-src"] == ["'none'"]
    assert found["frame-ancestors"] == ["'none'"]


@pytest.mark.parametrize(
    "path", ["/chat/", "/agents/", "/accounts/login/", "/administration", "/nowhere/admin/"]
)
def test_other_pages_keep_the_strict_one(world: World, path: str) -> None:
    found = policy(signed_in(world.alice), path)
    assert not any(word in found for word in WIDER)


def test_one_page_does_not_widen_the_next(root: Client) -> None:
    policy(root, "/admin/")
    assert not any(word in policy(root, "/accounts/signup/") for word in WIDER)
