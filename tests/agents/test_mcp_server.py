"""Our MCP server, asked by the real client over HTTP."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import uvicorn
from asgiref.sync import async_to_sync
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from agents_app.builtins import for_programs
from agents_app.models import CallStatus, Tool, ToolCall, ToolKind
from agents_app.services.collections import create_collection
from agents_app.services.documents import add_text
from agents_app.tools.definitions import ToolContext, ToolError
from agents_app.views import mcp_tools
from integrations_app.models import ApiKey
from integrations_app.services.api_keys import Caller, create_key, revoke
from one_project.asgi import application
from tests.people import World

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture(autouse=True)
def known_host(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    config = uvicorn.Config(
        application, host="127.0.0.1", port=0, log_level="critical", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        threading.Event().wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/mcp/"
    server.should_exit = server.force_exit = True
    thread.join(timeout=5)


def key_of(world: World, *scopes: str, **options: Any) -> tuple[ApiKey, str]:
    return create_key(world.organisation, by=world.bob, name="Editor", scopes=scopes, **options)


def visited(url: str, raw: str, visit: Any, mode: str = "auto") -> Any:
    async def go() -> Any:
        headers = {"Authorization": f"Bearer {raw}"}
        async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, mode=mode) as client:
                return await visit(client)

    return async_to_sync(go)()


def tool(world: World, name: str, action: str, **values: Any) -> Tool:
    return Tool.objects.create(
        organisation=world.organisation, name=name, kind=ToolKind.BUILTIN, action=action, **values
    )


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.django_db(transaction=True)
def test_a_client_lists_and_uses_the_tools_of_its_key(
    committed_world: World, url: str, mode: str
) -> None:
    world = committed_world
    tool(world, "sums", "calculator")
    tool(world, "mail_all", "calculator", approval="always")
    _, raw = key_of(world, "mcp", "tools", "knowledge", tools=["sums", "mail_all", "current_time"])

    async def visit(client: Client) -> Any:
        listed = await client.list_tools()
        done = await client.call_tool("sums", {"expression": "2 + 3"})
        asks = await client.call_tool("mail_all", {"expression": "2 + 3"})
        other = await client.call_tool("current_time", {})
        wrong = await client.call_tool("sums", {"words": "2"})
        return listed, done, asks, other, wrong

    listed, done, asks, other, wrong = visited(url, raw, visit, mode)
    assert {one.name for one in listed.tools} == {
        "sums",
        "mail_all",
        "search_knowledge",
        "read_document",
    }
    assert not done.is_error
    assert "5" in done.content[0].text
    assert asks.is_error
    assert "person has to allow" in asks.content[0].text
    # Not on its list, and none of the organisation's rows.
    assert other.is_error
    assert wrong.is_error
    call = ToolCall.objects.get()
    assert (call.name, call.status, call.requested_by) == (
        "sums",
        CallStatus.SUCCEEDED,
        world.bob,
    )
    assert call.custom["api_key"] == raw[:10]


@pytest.mark.django_db(transaction=True)
def test_the_door(committed_world: World, url: str) -> None:
    world = committed_world
    row, raw = key_of(world, "mcp")
    _, other = key_of(world, "knowledge")

    def post(raw: str = "", **headers: str) -> httpx2.Response:
        sent = {**ACCEPT, **headers}
        if raw:
            sent["Authorization"] = f"Bearer {raw}"
        return httpx2.post(url, json=CALL, headers=sent, trust_env=False)

    assert post(raw).status_code == 200
    assert post().status_code == 401
    assert post("one_wrong").status_code == 401
    assert post(other).status_code == 403
    assert post(raw, Origin="https://elsewhere.example").status_code == 403
    assert post(raw, Host="elsewhere.example").status_code == 403
    assert httpx2.get(url, headers={"Authorization": f"Bearer {raw}"}).status_code == 405
    large = httpx2.post(
        url,
        content=b" " * 1_000_001,
        headers={**ACCEPT, "Authorization": f"Bearer {raw}", "Content-Type": "application/json"},
    )
    assert large.status_code == 413
    revoke(row, by=world.bob)
    gone, never = post(raw), post("one_wrong")
    assert (gone.status_code, gone.content) == (never.status_code, never.content)


def test_a_key_without_a_list_gets_what_only_reads(world: World) -> None:
    tool(world, "sums", "calculator")
    tool(world, "forget", "delete_document")
    tool(world, "mine", "calculator", created_by=world.adam)
    tool(world, "never", "calculator", approval="deny")
    caller = Caller(
        key=key_of(world, "mcp", "tools")[0],
        organisation=world.organisation,
        user=world.bob,
        membership=world.bob.memberships.get(),
    )
    assert set(mcp_tools.offered_to(caller)) == {"sums"}


def test_documents_are_read_with_the_rights_of_the_person(world: World) -> None:
    hers = create_collection(world.organisation, user=world.alice, name="Hers")
    secret = add_text(hers, user=world.alice, title="Secret", text="The canal is dry.")
    context = ToolContext(organisation=world.organisation, user=world.bob)
    with pytest.raises(ToolError):
        for_programs.READ.run(context, {"document": str(secret.document_id)})
