"""The built-in tools that need no chat, each against real parts."""

import asyncio
import json
from dataclasses import replace

import pytest
from aiohttp import web

from agents_app.builtins.arithmetic import SumError, calculate
from agents_app.tools.definitions import ToolContext, ToolError, builtin_tools
from one_project.accounts.models import Organisation, Team, TeamMember
from one_project.common.ids import new_id
from tests.integrations.web_server import running_web_server
from tests.knowledge.chunks import embed_all, embedding, make_collection, make_document


def use(name, arguments, context=None, **config):
    context = context or ToolContext(organisation=Organisation(name="Acme"), config=config)
    made = builtin_tools()[name]
    made.check(arguments)
    return made.run(context, arguments)


# --- time and sums ---------------------------------------------------------------------------


def test_the_time_in_a_zone():
    assert use("current_time", {})["time"].endswith("+00:00")
    found = use("current_time", {"timezone": "Asia/Tokyo"})
    assert found["time"].endswith("+09:00")
    for zone in ("Mars/Base", "../etc/passwd", "", "/etc/localtime"):
        with pytest.raises(ToolError):
            use("current_time", {"timezone": zone})


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("17*23", "391"), ("(17 * 23 + 4) / 2", "197.5"), ("2^10", "1024"), ("-2**2", "-4"),
        ("2**-2", "0.25"), ("2**3**2", "512"), ("0.1+0.2", "0.3"), ("1/3", "0.333333333333"),
        ("7//2 + -7%3", "5"), ("sqrt(2)**2", "2"), ("max(1, 2, 3) = ", "3"), ("6 ÷ 4 × 2", "3"),
        ("round(2.567, 1)", "2.6"), ("1**999999999999", "1"), ("10**30", "1" + "0" * 30),
        ("pi", "3.14159265359"), ("1e3", "1000"),
    ],
)  # fmt: skip
def test_sums(expression, result):
    assert use("calculator", {"expression": expression})["result"] == result


@pytest.mark.parametrize(
    "expression",
    ["1/0", "9**9**9**9", "2**5000", "10**400*1.0", "(-8)**0.5", "x", "1 2", "(1", "1)", "+",
     "sqrt", "sqrt()", "log(0)", "__import__('os')", "a.b", "1e999", "min(,)", "lambda: 1", "()",
     "(" * 100 + "1" + ")" * 100, "-" * 300 + "1", "2**" * 100 + "1", "9" * 501, "exp(1000)",
     "1,2", "round(1, 1000000)", "factorial(9)", "[1]*9", "'a'*9", "tan(1e400)"],
)  # fmt: skip
def test_what_is_no_sum_is_an_error_in_words(expression):
    with pytest.raises(SumError) as caught:
        calculate(expression)
    assert str(caught.value).endswith(".")


# --- the web -----------------------------------------------------------------------------------


@pytest.fixture
def inside(settings):
    settings.ONE_HTTP_ALLOW_PRIVATE = True
    return settings


async def test_a_page_is_read_as_text(inside):
    async def page(request):
        if request.path == "/picture":
            return web.Response(body=b"\x89PNG", content_type="image/png")
        if request.path == "/gone":
            return web.Response(status=404)
        if request.path == "/plain":
            return web.Response(text="x" * 30_000)
        html = "<title>Tea</title><h1>Hi</h1><script>no</script><p>Green tea"
        return web.Response(text=html, content_type="text/html")

    async with running_web_server(page) as server:
        found = await use("fetch_web_page", {"url": server.url})
        assert (found["title"], found["text"]) == ("Tea", "# Hi\nGreen tea")
        long = await use("fetch_web_page", {"url": f"{server.url}/plain"})
        assert (len(long["text"]), long["is_cut"]) == (20_000, True)
        for path in ("/picture", "/gone"):
            with pytest.raises(ToolError):
                await use("fetch_web_page", {"url": server.url + path})


async def test_a_page_of_our_own_network_is_not_read():
    for url in ("http://127.0.0.1/", "http://169.254.169.254/latest/meta-data/", "file:///etc/x"):
        with pytest.raises(ToolError):
            await use("fetch_web_page", {"url": url})


async def test_a_webhook_is_sent_where_the_row_says(inside):
    async def hook(request):
        return web.Response(status=500 if request.path == "/broken" else 204, text="secret")

    key = new_id()
    async with running_web_server(hook) as server:

        def to(path):
            return ToolContext(
                organisation=Organisation(name="Acme"), key=key, config={"url": server.url + path}
            )

        assert await use("post_webhook", {"text": "hi"}, to("/ok")) == {"status": 204}
        with pytest.raises(ToolError, match="500"):
            await use("post_webhook", {"text": "hi"}, to("/broken"))
    method, path, headers, body = server.requests[0]
    assert (method, path, json.loads(body)) == ("POST", "/ok", {"text": "hi"})
    assert headers["Idempotency-Key"] == str(key)
    with pytest.raises(ToolError, match="no address"):
        await use("post_webhook", {"text": "hi"})
    with pytest.raises(ValueError):
        use("post_webhook", {"text": "hi", "url": "http://elsewhere.test"})


async def test_the_weather(inside):
    async def service(request):
        if request.path == "/v1/search":
            if request.query["name"] == "Nowhere":
                return web.json_response({})
            place = {"name": "Rome", "country": "Italy", "latitude": 41.9, "longitude": 12.5}
            return web.json_response({"results": [place]})
        if request.query["latitude"] != "41.9":
            return web.Response(text="no JSON")
        current = {"time": "2026-01-02T12:00", "temperature_2m": 21.5, "weather_code": 63}
        return web.json_response({"current": current})

    with pytest.raises(ToolError, match="not set up"):
        await use("get_weather", {"city": "Rome"})
    async with running_web_server(service) as server:
        inside.ONE_WEATHER_GEOCODING_URL = inside.ONE_WEATHER_FORECAST_URL = server.url + "/"
        found = await use("get_weather", {"city": "Rome"})
        assert (found["city"], found["sky"], found["temperature_c"]) == ("Rome", "rain", 21.5)
        with pytest.raises(ToolError, match="no place"):
            await use("get_weather", {"city": "Nowhere"})
    with pytest.raises(ToolError):
        await use("get_weather", {"city": "Rome"})


# --- who is here -------------------------------------------------------------------------------


def context_of(world, user):
    return ToolContext(organisation=world.organisation, user=user, agent=world.agent)


def test_who_is_here(world):
    team = Team.objects.create(organisation=world.organisation, name="Sales")
    Team.objects.create(organisation=world.elsewhere, name="Strangers")
    TeamMember.objects.create(team=team, user=world.bob)
    context = context_of(world, world.bob)
    group = use("get_context", {"which": "group"}, context)
    assert group == {"name": "Acme", "members": 4, "teams": ["Sales"], "agents": 1}
    person = use("get_context", {"which": "user"}, context)
    assert (person["name"], person["role"], person["teams"]) == ("Bob", "member", ["Sales"])
    assert use("get_context", {"which": "agent"}, context)["name"] == "Guide"
    assert "@" not in json.dumps([group, person])


def test_a_program_and_an_outsider_are_no_user(world):
    for user in (None, world.charlie):
        with pytest.raises(ToolError):
            use("get_context", {"which": "user"}, context_of(world, user))


# --- documents ---------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_documents_are_searched_in_the_rights_of_the_person(committed_world):
    world = committed_world
    shelf = make_collection(world.organisation, world.alice, shared=True)
    make_document(shelf, "Refund policy", "Refunds are paid within five days.", folder="money")
    make_document(make_collection(world.organisation, world.bob), "Notes", "Refunds annoy me.")

    def search(user, **changes):
        context = replace(context_of(world, user), **changes)
        return asyncio.run(use("search_knowledge", {"query": "How are refunds paid?"}, context))

    answer = search(world.alice)
    found = answer["passages"]
    assert [one["title"] for one in found] == ["Refund policy"]
    assert found[0] == {
        "cite": 1,
        "title": "Refund policy",
        "heading": "",
        "content": "Refunds are paid within five days.",
        "relevance": found[0]["relevance"],
        "source": "money/Refund policy",
        "page": 1,
        "char_start": 0,
        "char_end": 34,
        "version": 1,
    }
    assert "no embedding model" in answer["degraded"]
    assert len(search(world.bob)["passages"]) == 2
    assert len(search(None)["passages"]) == 1
    assert search(world.charlie)["passages"] == []
    turn = new_id()
    with embedding():
        embed_all(world.organisation)
        first, second = search(world.alice, turn_id=turn), search(world.bob, turn_id=turn)
    # Numbers stay within a turn; with vectors nothing is missing, and nothing is said.
    assert first.keys() == second.keys() == {"passages"}
    assert [one["cite"] for one in first["passages"]] == [1]
    cites = {one["title"]: one["cite"] for one in second["passages"]}
    assert cites == {"Refund policy": 1, "Notes": 2}
    world.agent.knowledge = "none"
    with pytest.raises(ToolError):
        search(world.alice)


def test_documents_are_deleted_by_who_may(world):
    shelf = make_collection(world.organisation, world.alice, shared=True)
    make_document(shelf, "Refund policy", "Refunds are paid.")
    for user in (world.bob, world.charlie, None):
        with pytest.raises(ToolError):
            use("delete_document", {"title": "Refund policy"}, context_of(world, user))
    found = use("delete_document", {"title": "refund policy"}, context_of(world, world.alice))
    assert found == {"deleted": "Refund policy"}


def test_a_tool_with_a_bad_argument_does_not_run():
    for name, arguments in (
        ("calculator", {}),
        ("search_knowledge", {"query": "x", "limit": 1000}),
        ("get_context", {"which": "everybody"}),
        ("fetch_web_page", {"url": "x", "method": "DELETE"}),
    ):
        with pytest.raises(ValueError):
            asyncio.run(use(name, arguments))
