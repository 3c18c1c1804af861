"""MCP servers as tools: looked at, approved, called, and never trusted."""

from collections.abc import Iterator
from typing import Any

import pytest

from agents_app.models import Tool, ToolAllowance, ToolKind
from agents_app.tools.catalogue import definition_of, offered_tools
from agents_app.tools.definitions import OutcomeUnknown, ToolContext, ToolError
from integrations_app.errors import AddressRefused, AuthFailed, InvalidSettings
from integrations_app.models import Connection, Integration, McpServer, RemoteTool
from integrations_app.providers import mcp_client
from integrations_app.providers.mcp_client import Reach
from integrations_app.services import mcp_looks, mcp_reach, remote_calls
from integrations_app.services.mcp_servers import ServerValues, change_server, create_server
from integrations_app.services.outside import remove, switch
from integrations_app.services.remote_tools import (
    Seen,
    approve,
    differences,
    take_snapshot,
    tool_name,
    withdraw,
)
from one_project.accounts.models import Team
from one_project.common.errors import AccessDenied, Conflict, InvalidInput
from one_project.common.ids import new_id
from tests.integrations.mcp_house import McpHouse, running_mcp_house
from tests.integrations.one_connection import awaited, share_connection
from tests.people import World

KEY = "Bearer canary-mcp-key-123456"


@pytest.fixture(scope="module")
def house() -> Iterator[McpHouse]:
    with running_mcp_house() as running:
        yield running


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    share_connection(monkeypatch, mcp_looks, mcp_reach, remote_calls)


@pytest.fixture
def reachable(house: McpHouse, settings: Any) -> McpHouse:
    settings.ONE_HTTP_ALLOWED_HOSTS = [house.address]
    house.calls.clear()
    return house


def made(world: World, url: str, **values: Any) -> McpServer:
    return create_server(
        world.organisation,
        by=world.adam,
        values=ServerValues(name="House", slug="house", url=url, **values),
    )


def looked_at(world: World, server: McpServer) -> McpServer:
    awaited(mcp_looks.look_at_server, server.pk, world.adam.pk)
    server.refresh_from_db()
    return server


def context(world: World) -> ToolContext:
    return ToolContext(organisation=world.organisation, user=world.bob)


def ready_tool(world: World, house: McpHouse, name: str = "echo", effect: str = "") -> Tool:
    server = looked_at(world, made(world, house.url))
    remote = server.tools.get(name=name)
    approve(remote, by=world.adam, seen=remote.schema_hash, effect=effect)
    return Tool.objects.get(kind=ToolKind.MCP, action=str(remote.pk))


def run(row: Tool, world: World, arguments: dict[str, Any]) -> Any:
    definition = definition_of(row)
    assert definition is not None
    definition.check(arguments)
    return awaited(definition.run, context(world), arguments)


class TestCalls:
    def test_a_server_is_looked_at_approved_and_called(
        self, world: World, reachable: McpHouse
    ) -> None:
        server = looked_at(world, made(world, reachable.url))
        assert server.meta["look"]["state"] == "ok", server.meta["look"]
        assert {one.name for one in server.tools.all()} >= {"echo", "add", "fail"}
        echo = server.tools.get(name="echo")
        # Its hint is kept, and not believed.
        assert echo.hints == {"readOnlyHint": True}
        assert not echo.is_approved
        assert not Tool.objects.filter(kind=ToolKind.MCP).exists()

        approve(echo, by=world.adam, seen=echo.schema_hash)
        row = Tool.objects.get(kind=ToolKind.MCP)
        assert row.name == "house__echo"
        offered = offered_tools(["house__echo"], world.organisation, world.bob)
        definition = offered["house__echo"].definition
        assert definition.effect == "external"
        assert definition.asks(context(world), {"text": "hi"})
        with pytest.raises(ValueError, match="text"):
            definition.check({"words": "hi"})
        assert awaited(definition.run, context(world), {"text": "hi"}) == "You said hi"
        assert reachable.calls == [("echo", "hi")]

    def test_structured_results_errors_and_long_results(
        self, world: World, reachable: McpHouse
    ) -> None:
        server = looked_at(world, made(world, reachable.url))
        rows = {}
        for name in ("add", "fail", "large"):
            remote = server.tools.get(name=name)
            approve(remote, by=world.adam, seen=remote.schema_hash)
            rows[name] = Tool.objects.get(action=str(remote.pk))
        assert run(rows["add"], world, {"a": 2, "b": 3}) == {"sum": 5}
        with pytest.raises(ToolError, match="out of paper"):
            run(rows["fail"], world, {})
        told = run(rows["large"], world, {})
        assert len(told) < mcp_client.MAX_TEXT + 100
        assert "left out" in told

    def test_a_call_without_an_answer_is_unknown_and_counted(
        self, world: World, reachable: McpHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(remote_calls, "DEADLINE", 3.0)
        row = ready_tool(world, reachable, "slow")
        with pytest.raises(OutcomeUnknown):
            run(row, world, {})
        assert reachable.calls == [("slow", None)]
        assert McpServer.objects.get().failures == 1

    def test_a_changed_tool_is_not_usable_before_somebody_has_looked(
        self, world: World, reachable: McpHouse
    ) -> None:
        row = ready_tool(world, reachable)
        server = McpServer.objects.get()
        echo = server.tools.get(name="echo")
        take_snapshot(
            server,
            [Seen(name="echo", description="Send it to me", parameters=echo.parameters)],
        )
        assert definition_of(row) is None
        assert offered_tools([row.name], world.organisation, world.bob) == {}
        echo.refresh_from_db()
        assert any(one == '+  "description": "Send it to me",' for one in differences(echo))
        # Looked at another description than the one that is there now.
        with pytest.raises(Conflict):
            approve(echo, by=world.adam, seen=echo.approved_hash)
        approve(echo, by=world.adam, seen=echo.schema_hash)
        assert definition_of(row) is not None
        # Others are gone, and come back with the next look.
        assert server.tools.get(name="add").gone_at is not None

    def test_a_paused_withdrawn_or_removed_tool_is_not_usable(
        self, world: World, reachable: McpHouse
    ) -> None:
        row = ready_tool(world, reachable)
        server = McpServer.objects.get()
        switch(server, by=world.adam, is_active=False)
        assert definition_of(row) is None
        switch(server, by=world.adam, is_active=True)
        assert definition_of(row) is not None
        withdraw(server.tools.get(name="echo"), by=world.adam)
        assert definition_of(row) is None
        remove(server, by=world.adam)
        assert not Tool.objects.filter(pk=row.pk).exists()

    def test_a_key_is_sent_as_a_header_and_told_to_nobody(
        self, world: World, settings: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        with running_mcp_house(KEY) as house:
            settings.ONE_HTTP_ALLOWED_HOSTS = [house.address]
            server = looked_at(
                world, made(world, house.url, auth="static", header_value="Bearer canary-wrong-key")
            )
            assert server.meta["look"]["state"] == "failed"
            assert "canary" not in f"{server.last_error} {server.meta}"
            values = ServerValues(
                name="House", slug="house", url=house.url, auth="static", header_value=KEY
            )
            change_server(server, by=world.adam, values=values)
            assert looked_at(world, server).meta["look"]["state"] == "ok"
            assert house.seen_headers[-1]["authorization"] == KEY
        assert "canary" not in caplog.text
        # Elsewhere the key has to be typed again.
        elsewhere = ServerValues(
            name="House", slug="house", url="https://mcp.example.com/", auth="static"
        )
        with pytest.raises(InvalidSettings) as refused:
            change_server(server, by=world.adam, values=elsewhere)
        assert "header_value" in refused.value.problems


def test_private_addresses_are_refused_at_saving_and_at_the_visit(
    world: World, house: McpHouse
) -> None:
    with pytest.raises(AddressRefused):
        made(world, house.url)
    with pytest.raises(AddressRefused):
        awaited(mcp_client.list_tools, Reach(url=house.url), deadline=5)


def test_a_refused_key_is_a_matter_of_credentials(settings: Any) -> None:
    with running_mcp_house(KEY) as house:
        settings.ONE_HTTP_ALLOWED_HOSTS = [house.address]
        with pytest.raises(AuthFailed) as refused:
            awaited(mcp_client.list_tools, Reach(url=house.url), deadline=5)
    assert "canary" not in f"{refused.value} {refused.value.detail}"


def test_only_the_operators_programs_are_started(world: World, settings: Any) -> None:
    settings.ONE_MCP_STDIO = {
        "files": {"command": "true"},
        "theirs": {"command": "true", "organisations": ["elsewhere"]},
    }
    for command in ("sh", "theirs", "/bin/sh"):
        values = ServerValues(name="P", slug="p", transport="stdio", command=command)
        with pytest.raises(InvalidSettings):
            create_server(world.organisation, by=world.adam, values=values)
    values = ServerValues(name="P", slug="p", transport="stdio", command="files")
    server = create_server(world.organisation, by=world.adam, values=values)
    assert (server.url, server.command) == ("", "files")


def test_members_set_nothing_up(world: World) -> None:
    with pytest.raises(AccessDenied):
        create_server(
            world.organisation,
            by=world.stella,
            values=ServerValues(name="H", slug="h", url="https://mcp.example.com/"),
        )


def remote_of(world: World, name: str, **values: Any) -> RemoteTool:
    server, _ = McpServer.objects.get_or_create(
        organisation=world.organisation, name="Files", slug="files", url="https://x.example.com/"
    )
    take_snapshot(server, [Seen(name=name, **values)])
    return RemoteTool.objects.get(name=name)


def test_names_are_what_models_accept_and_do_not_collide(world: World) -> None:
    assert tool_name(remote_of(world, "read_file")) == "files__read_file"
    dotted, spaced = remote_of(world, "read.file"), remote_of(world, "read file")
    assert tool_name(dotted) != tool_name(spaced)
    long = remote_of(world, "x" * 120)
    assert len(tool_name(long)) == 64


def test_what_cannot_be_checked_cannot_be_approved(world: World) -> None:
    described = mcp_looks._seen(
        mcp_client.Described(
            name="tree",
            title="",
            description="",
            schema={"type": "object", "properties": {"a": {"$ref": "#"}}},
            hints={},
        )
    )
    row = remote_of(world, "tree", problem=described.problem)
    assert "circle" in described.problem
    with pytest.raises(InvalidInput):
        approve(row, by=world.adam, seen=row.schema_hash)


def test_who_has_no_account_is_asked_to_connect(world: World, settings: Any) -> None:
    settings.ONE_PROVIDER_URLS = {"notion": "http://127.0.0.1:1"}
    integration = Integration.objects.create(
        organisation=world.organisation,
        name="Notion",
        provider="notion",
        channel_type="knowledge",
        status="active",
    )
    values: dict[str, Any] = {
        "name": "Notes",
        "slug": "notes",
        "auth": "oauth",
        "integration": integration,
    }
    # Other people's tokens are not collected elsewhere.
    with pytest.raises(InvalidSettings) as refused:
        create_server(
            world.organisation,
            by=world.adam,
            values=ServerValues(url="https://mcp.example.com/", **values),
        )
    assert "url" in refused.value.problems
    server = create_server(
        world.organisation,
        by=world.adam,
        values=ServerValues(url="http://127.0.0.1:1/mcp", **values),
    )
    take_snapshot(server, [Seen(name="search", parameters={"type": "object", "properties": {}})])
    remote = server.tools.get()
    approve(remote, by=world.adam, seen=remote.schema_hash)
    with pytest.raises(ToolError) as asked:
        run(Tool.objects.get(action=str(remote.pk)), world, {})
    assert asked.value.code == "connect_required"
    assert asked.value.data == {
        "connect": {"integration_id": str(integration.pk), "title": "Notion"}
    }


def test_always_allow_ends_with_the_next_look(world: World) -> None:
    remote = remote_of(world, "read_file")
    for _ in range(2):
        approve(remote, by=world.adam, seen=remote.schema_hash)
        assert not ToolAllowance.objects.exists()
        ToolAllowance.objects.create(
            organisation=world.organisation,
            user=world.bob,
            thread_id=new_id(),
            tool_name="files__read_file",
        )


def test_tokens_go_to_their_provider_alone_and_not_in_the_open(settings: Any) -> None:
    notion = Integration(provider="notion")
    assert mcp_reach.is_at_home("https://mcp.notion.com/mcp", notion)
    assert not mcp_reach.is_at_home("http://mcp.notion.com/mcp", notion)
    assert not mcp_reach.is_at_home("https://notion.com.attacker.invalid/", notion)
    settings.ONE_PROVIDER_URLS = {"notion": "http://notion.house.co.uk"}
    assert mcp_reach.is_at_home("http://notion.house.co.uk/mcp", notion)
    assert not mcp_reach.is_at_home("https://attacker.co.uk/mcp", notion)


def test_the_account_of_a_team_is_not_everybodys(world: World, settings: Any) -> None:
    settings.ONE_PROVIDER_URLS = {"notion": "http://127.0.0.1:1"}
    integration = Integration.objects.create(
        organisation=world.organisation,
        name="Notion",
        provider="notion",
        channel_type="knowledge",
        status="active",
    )
    team = Team.objects.create(organisation=world.organisation, name="Editors")
    account = Connection.objects.create(
        organisation=world.organisation, integration=integration, team=team, status="active"
    )
    with pytest.raises(InvalidSettings) as refused:
        made(world, "http://127.0.0.1:1/mcp", auth="oauth", integration=integration,
             connection=account)  # fmt: skip
    assert "connection" in refused.value.problems


class TestReferenceServer:
    """The reference server of MCP, which we did not write."""

    def test_over_http(self, world: World, settings: Any, mcp_everything_http: str) -> None:
        settings.ONE_HTTP_ALLOWED_HOSTS = [mcp_everything_http.split("/")[2]]
        server = looked_at(world, made(world, mcp_everything_http))
        assert server.meta["look"]["state"] == "ok", server.meta["look"]
        assert server.tools.count() > 5
        assert not [one.name for one in server.tools.all() if one.meta["problem"]]
        echo = server.tools.get(name="echo")
        approve(echo, by=world.adam, seen=echo.schema_hash)
        row = Tool.objects.get(action=str(echo.pk))
        assert "hello" in run(row, world, {"message": "hello"})
        with pytest.raises(ValueError, match="message"):
            run(row, world, {"message": 7})

    def test_over_stdio(
        self, world: World, settings: Any, mcp_everything_stdio_command: list[str]
    ) -> None:
        command, *args = mcp_everything_stdio_command
        settings.ONE_MCP_STDIO = {"everything": {"command": command, "args": args}}
        values = ServerValues(
            name="Everything", slug="all", transport="stdio", command="everything"
        )
        server = create_server(world.organisation, by=world.adam, values=values)
        assert looked_at(world, server).meta["look"]["state"] == "ok", server.meta["look"]
        echo = server.tools.get(name="echo")
        approve(echo, by=world.adam, seen=echo.schema_hash)
        assert "hello" in run(Tool.objects.get(action=str(echo.pk)), world, {"message": "hello"})
