"""HTTP interfaces as tools: descriptions are bounded, and no argument leaves its place."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from agents_app.models import Tool, ToolKind
from agents_app.tools.catalogue import definition_of
from agents_app.tools.definitions import OutcomeUnknown, ToolContext, ToolError
from integrations_app.errors import AddressRefused, InvalidSettings
from integrations_app.models import HttpApi
from integrations_app.providers.openapi import read_spec
from integrations_app.providers.openapi_requests import prepare
from integrations_app.services import remote_calls
from integrations_app.services.http_apis import (
    ApiValues,
    add_operation,
    change_api,
    create_api,
    read_again,
)
from integrations_app.services.remote_tools import approve
from one_project.common.errors import InvalidInput
from tests.integrations.one_connection import awaited, share_connection
from tests.integrations.web_server import WebServer, running_web_server
from tests.people import World

KEY = "Bearer canary-api-key-7890"
SPEC: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop"},
    "servers": [{"url": "http://169.254.169.254"}],
    "components": {
        "schemas": {
            "Order": {
                "type": "object",
                "required": ["item", "id"],
                "properties": {
                    "id": {"type": "string", "readOnly": True},
                    "item": {"type": "string"},
                    "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
                },
            },
            "Line": {"type": "object", "properties": {"count": {"type": "integer"}}},
            "Tree": {"type": "object", "properties": {"up": {"$ref": "#/components/schemas/Tree"}}},
        }
    },
    "paths": {
        "/orders/{id}": {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "get": {
                "operationId": "getOrder",
                "description": "One order.",
                "parameters": [
                    {"name": "fields", "in": "query", "schema": {"type": "array"}},
                    {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                    {"name": "X-Api-Key", "in": "header", "required": True},
                    {"name": "X-Language", "in": "header", "schema": {"type": "string"}},
                ],
            },
            "delete": {"operationId": "deleteOrder"},
        },
        "/orders": {
            "post": {
                "operationId": "createOrder",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Order"}}
                    },
                },
            }
        },
        "/trees": {
            "post": {
                "operationId": "plant",
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Tree"}}
                    }
                },
            }
        },
        "/../admin": {"get": {"operationId": "up"}},
    },
}


def operations(spec: Mapping[str, Any] = SPEC) -> dict[str, Any]:
    return {one.name: one for one in read_spec(json.dumps(spec)).operations}


def test_operations_have_one_whole_schema() -> None:
    found = operations()
    get = found["getOrder"]
    # No credential is an argument.
    assert set(get.places) == {"id", "fields", "X-Language"}
    assert get.parameters["required"] == ["id"]
    body = found["createOrder"].parameters["properties"]["body"]
    assert set(body["properties"]) == {"item", "lines"}
    assert body["required"] == ["item"]
    assert body["properties"]["lines"]["items"]["properties"]["count"] == {"type": "integer"}
    assert "circle" in found["plant"].problem
    assert found["up"].problem


@pytest.mark.parametrize(
    "value",
    [
        "..",
        ".",
        "",
        "../admin",
        "a/../../admin",
        "%2e%2e",
        "a?b=c",
        "a#b",
        "a\\b",
        "é ü",
        ";x",
        "@other.example",
    ],
)
def test_an_argument_of_the_path_stays_in_its_segment(value: str) -> None:
    operation = operations()["getOrder"].stored
    if value in ("..", ".", ""):
        with pytest.raises(InvalidInput):
            prepare("https://shop.example.com/api", operation, {"id": value})
        return
    prepared = prepare("https://shop.example.com/api", operation, {"id": value})
    from integrations_app.providers.destinations import parsed

    sent = parsed(prepared.url).raw_path.decode()
    assert sent.startswith("/api/orders/")
    assert sent.count("/") == 3
    assert "?" not in sent


def test_line_breaks_and_unknown_arguments_are_refused() -> None:
    operation = operations()["getOrder"].stored
    for arguments in (
        {"id": "a\r\nHost: x"},
        {"id": "a", "X-Language": "de\r\nX-More: 1"},
        {"id": "a", "X-Language": "dé"},
        {"id": "a", "fields": ["x\ny"]},
        {"id": "a", "fields": [{"a": 1}]},
        {"id": "a", "Authorization": "mine"},
        {"fields": ["a"]},
    ):
        with pytest.raises(InvalidInput):
            prepare("https://shop.example.com", operation, arguments)
    made = prepare("https://shop.example.com", operation, {"id": 7, "fields": ["a&b=c", "d"]})
    assert made.url == "https://shop.example.com/orders/7?fields=a%26b%3Dc&fields=d"


def test_bombs_and_odd_descriptions_are_refused() -> None:
    aliases = "a: &a [x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)}]\n" for n in range(20)
    )
    for text in (
        "",
        "[]",
        "just words",
        "{",
        '{"openapi": "2.0", "paths": {}}',
        json.dumps({"openapi": "3.0.0", "paths": {}}),
        "openapi: 3.0.0\npaths: " + "[" * 5_000,
        aliases,
        "openapi: !!python/object/apply:os.system ['true']\n",
        '{"openapi": ' + "[" * 5_000,
        "x" * 1_000_001,
    ):
        with pytest.raises(InvalidInput):
            read_spec(text)
    wide = {f"p{n}": {"$ref": "#/components/schemas/B"} for n in range(80)}
    bomb = {
        **SPEC,
        "components": {
            "schemas": {
                "A": {"properties": wide},
                "B": {"properties": {f"q{n}": {"type": "string"} for n in range(80)}},
            }
        },
        "paths": {
            "/a": {
                "post": {
                    "operationId": "a",
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/A"}}
                        }
                    },
                }
            }
        },
    }
    assert operations(bomb)["a"].problem
    elsewhere = json.loads(json.dumps(SPEC).replace("#/components/schemas/Order", "http://x/y"))
    assert "another document" in operations(elsewhere)["createOrder"].problem


def test_yaml_is_read_like_json() -> None:
    text = """
openapi: 3.0.3
info: {title: Weather, version: 2024-01-01}
paths:
  /days/{day}:
    get:
      summary: One day
      parameters:
        - {name: day, in: path, required: true, schema: {type: string, example: 2024-01-01}}
      responses: {200: {description: ok}}
"""
    (one,) = read_spec(text).operations
    assert (one.name, one.problem) == ("get_days_by_day", "")


class TestUse:
    @pytest.fixture(autouse=True)
    def one_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        share_connection(monkeypatch, remote_calls)

    def made(self, world: World, url: str, spec: str = "") -> HttpApi:
        values = ApiValues(name="Shop", slug="shop", base_url=url, header_value=KEY)
        return create_api(world.organisation, by=world.adam, values=values, spec=spec)

    def test_chosen_operations_are_called_with_the_key(self, world: World, settings: Any) -> None:
        async def answer(request: web.Request) -> web.Response:
            if request.method == "DELETE":
                raise web.HTTPInternalServerError
            if request.path.endswith("large"):
                return web.Response(text="x" * 300_000)
            return web.json_response({"path": request.rel_url.raw_path})

        rows: dict[str, Tool] = {}

        def set_up(server: WebServer) -> None:
            settings.ONE_HTTP_ALLOWED_HOSTS = [server.address]
            api = self.made(world, f"{server.url}/v1", json.dumps(SPEC))
            assert not Tool.objects.filter(kind=ToolKind.HTTP).exists()
            for name in ("getOrder", "createOrder", "deleteOrder"):
                remote = api.operations.get(name=name)
                approve(remote, by=world.adam, seen=remote.schema_hash)
                rows[name] = Tool.objects.get(action=str(remote.pk))

        context = ToolContext(organisation=world.organisation, user=world.bob)

        async def calls() -> None:
            from asgiref.sync import sync_to_async

            async with running_web_server(answer) as server:
                await sync_to_async(set_up)(server)
                made = {name: await sync_to_async(definition_of)(row) for name, row in rows.items()}
                get, post = made["getOrder"], made["createOrder"]
                assert get is not None
                assert post is not None
                assert made["deleteOrder"] is not None
                effects = {name: one.effect for name, one in made.items() if one}
                assert effects == {
                    "getOrder": "read",
                    "createOrder": "external",
                    "deleteOrder": "destructive",
                }
                told = await get.run(context, {"id": "a/b"})
                assert told == {"status": 200, "body": {"path": "/v1/orders/a%2Fb"}}
                assert server.requests[-1][2]["Authorization"] == KEY
                large = await get.run(context, {"id": "large"})
                assert len(large["body"]) < 70_000
                with pytest.raises(ValueError, match="item"):
                    post.check({"body": {}})
                await post.run(context, {"body": {"item": "chair"}})
                assert json.loads(server.requests[-1][3]) == {"item": "chair"}
                gone = await made["deleteOrder"].run(context, {"id": "1"})
                assert gone["status"] == 500
            # Nobody answers there any more.
            with pytest.raises(ToolError) as refused:
                await post.run(context, {"body": {"item": "chair"}})
            assert not isinstance(refused.value, OutcomeUnknown)

        awaited(calls)
        assert HttpApi.objects.get().failures == 1

    def test_a_newer_description_has_to_be_looked_at(self, world: World, settings: Any) -> None:
        settings.ONE_HTTP_ALLOW_PRIVATE = True
        api = self.made(world, "http://127.0.0.1:1", json.dumps(SPEC))
        order = api.operations.get(name="getOrder")
        approve(order, by=world.adam, seen=order.schema_hash)
        row = Tool.objects.get(kind=ToolKind.HTTP)
        assert definition_of(row) is not None
        hand = add_operation(
            api,
            by=world.adam,
            name="ping",
            method="get",
            path="/ping?deep",
            description="Is it up?",
        )
        assert hand.parameters["properties"] == {"deep": {"type": "string"}}
        newer = json.dumps(SPEC).replace("One order.", "One order, and all of the customer.")
        counts = read_again(api, by=world.adam, spec=newer)
        assert (counts.changed, counts.new, counts.gone) == (1, 0, 0)
        assert definition_of(row) is None
        hand.refresh_from_db()
        assert hand.gone_at is None

    def test_the_address_is_pinned_and_the_key_stays_with_it(
        self, world: World, settings: Any
    ) -> None:
        for url in ("http://127.0.0.1/", "http://10.0.0.1", "ftp://x", "https://x/?a=b"):
            with pytest.raises(InvalidInput):
                self.made(world, url)
        with pytest.raises(AddressRefused):
            self.made(world, "http://169.254.169.254/latest")
        settings.ONE_HTTP_ALLOW_PRIVATE = True
        api = self.made(world, "http://127.0.0.1:1", json.dumps(SPEC))
        order = api.operations.get(name="getOrder")
        approve(order, by=world.adam, seen=order.schema_hash)
        moved = ApiValues(name="Shop", slug="shop", base_url="http://127.0.0.1:2")
        with pytest.raises(InvalidSettings):
            change_api(api, by=world.adam, values=moved)
        change_api(
            api,
            by=world.adam,
            values=ApiValues(
                name="Shop",
                slug="shop",
                base_url="http://127.0.0.1:2",
                without_key=True,
                header_value="x",
            ),
        )
        order.refresh_from_db()
        assert not order.is_approved
        assert api.credentials == {}
