"""The pages of outside tools, keys and hooks: what is secret is shown once or never."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from integrations_app.models import ApiKey, HttpApi, InboundHook, McpServer
from integrations_app.services.api_keys import access_by_key
from one_project.workflows.models import WorkItem
from tests.integrations.test_openapi import SPEC
from tests.people import World

KEY = "Bearer canary-page-key-4321"


def signed_in(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


@pytest.fixture
def inside(settings: Any) -> None:
    settings.ONE_HTTP_ALLOW_PRIVATE = True


def test_an_admin_adds_an_interface_and_chooses_operations(world: World, inside: None) -> None:
    admin = signed_in(world.adam)
    form = {
        "name": "Shop",
        "slug": "shop",
        "base_url": "http://127.0.0.1:1/v1",
        "header_value": KEY,
        "spec": json.dumps(SPEC),
    }
    refused = admin.post("/connections/tools/apis/new/", {**form, "slug": "Shop!"})
    assert refused.status_code == 422
    assert "canary" not in refused.content.decode()
    made = admin.post("/connections/tools/apis/new/", form)
    assert made.status_code == 303, made.content.decode()[-3000:]
    api = HttpApi.objects.get()
    path = f"/connections/tools/apis/{api.pk}/"
    shown = page(admin, path)
    assert "canary" not in shown
    assert "••••4321" in shown
    ticks = dict(re.findall(r'name="tool"\s+value="([^:]+):([0-9a-f]{64})"', shown))
    get = api.operations.get(name="getOrder")
    # What describes itself in a circle cannot be ticked.
    assert str(api.operations.get(name="plant").pk) not in ticks
    chosen = {"tool": f"{get.pk}:{ticks[str(get.pk)]}", f"effect-{get.pk}": "read"}
    assert (
        admin.post(f"{path}allow/", {**chosen, "tool": f"{get.pk}:{'0' * 64}"}).status_code == 409
    )
    assert admin.post(f"{path}allow/", chosen).status_code == 303
    assert "shop__getOrder" in page(admin, path)
    # A member knows that it is there, and no more.
    listed = page(signed_in(world.bob), "/connections/tools/")
    assert "Shop" in listed
    assert path not in listed


def test_a_server_is_kept_and_looked_at_by_a_worker(world: World, inside: None) -> None:
    admin = signed_in(world.adam)
    form = {
        "name": "Files",
        "slug": "files",
        "url": "http://127.0.0.1:1/mcp",
        "auth": "static",
        "header_value": KEY,
    }
    made = admin.post("/connections/tools/servers/new/", form)
    assert made.status_code == 303, made.content.decode()[-3000:]
    server = McpServer.objects.get()
    assert WorkItem.objects.filter(function="integrations.look_at_server").count() == 1
    assert KEY not in json.dumps(list(WorkItem.objects.values()), default=str)
    path = f"/connections/tools/servers/{server.pk}/"
    shown = page(admin, path)
    assert "being asked" in shown
    assert "canary" not in shown
    found = re.search(r"live/\?v=([^\"]+)", shown)
    assert found is not None
    assert admin.get(f"{path}live/?v={found.group(1)}").status_code == 204
    assert admin.get(f"{path}live/?v=old").status_code == 200


def test_a_key_is_shown_once(world: World) -> None:
    member = signed_in(world.bob)
    assert "Send notifications" not in page(member, "/connections/keys/")
    made = member.post("/connections/keys/", {"name": "Editor", "scopes": ["mcp"], "days": "30"})
    text = made.content.decode()
    found = re.search(r"one_[A-Za-z0-9_-]{43}", text)
    assert found is not None
    assert access_by_key(found.group(), "mcp").user == world.bob
    assert found.group() not in page(member, "/connections/keys/")
    assert made["Cache-Control"] == "no-store"
    assert "Editor" not in page(signed_in(world.stella), "/connections/keys/")
    key = ApiKey.objects.get()
    assert member.post(f"/connections/keys/{key.pk}/revoke/").status_code == 303
    assert "Revoked" in page(member, "/connections/keys/")


def test_a_hook_is_made_changed_and_its_secret_shown_once(world: World) -> None:
    member = signed_in(world.bob)
    form = {"name": "Orders", "scheme": "standard", "chosen": f"thread:{world.agent.pk}"}
    made = member.post("/connections/hooks/", form).content.decode()
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made)
    assert secret is not None
    hook = InboundHook.objects.get()
    path = f"/connections/hooks/{hook.pk}/"
    shown = page(member, path)
    assert secret.group() not in shown
    assert f"/hooks/{hook.pk}/" in shown
    assert "Guide" in shown
    changed = member.post(path, {"name": "Paid", "chosen": f"thread:{world.agent.pk}"})
    assert changed.status_code == 303
    refused = member.post(path, {"name": "Paid", "chosen": "workflow:flows.network"})
    assert refused.status_code == 422
    hook.refresh_from_db()
    assert (hook.name, hook.scheme) == ("Paid", "standard")
    # An admin may stop it, not have its secret.
    admin = signed_in(world.adam)
    assert admin.post(f"{path}rotate/").status_code == 404
    assert admin.post(f"{path}switch/").status_code == 303
