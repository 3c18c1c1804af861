"""The built-in tools that need no chat, each against real parts."""

import asyncio
import json

import pytest
from aiohttp import web

from agents_app.builtins.arithmetic import SumError, calculate
from agents_app.models import Document
from agents_app.services.knowledge import add_document, search_documents
from agents_app.tools.definitions import ToolContext, ToolError, builtin_tools
from one_project.accounts.models import Membership, Organisation, Team, TeamMember
from one_project.common.errors import InvalidInput, NotFound
from one_project.common.ids import new_id
from tests.integrations.web_server import running_web_server


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


def titles(world, user, query):
    found = use("search_knowledge", {"query": query}, context_of(world, user))
    return [one["title"] for one in found]


@pytest.fixture
def library(world):
    def add(title, text, organisation=world.organisation, **fields):
        return add_document(organisation, title=title, text=text, **fields)

    long = (
        "Nothing to see.\n\n" * 300 + "Refunds are paid within five days.\n\n" + "The end. " * 300
    )
    add("Refund policy", long, is_shared=True)
    add("Shipping", "We ship to Germany. A refund of shipping is rare.", is_shared=True)
    add("Bob's notes", "Refunds annoy me.", created_by=world.bob)
    add("Theirs", "Refunds elsewhere.", world.elsewhere, is_shared=True)
    return world


def test_documents_are_found_by_any_word_best_first(library):
    world = library
    assert titles(world, world.alice, "How are refunds paid?") == ["Refund policy", "Shipping"]
    (found,) = search_documents(
        world.organisation, user=world.alice, query="zebra GERMANY", limit=5
    )
    assert 0 < found.relevance < 1
    best = search_documents(world.organisation, user=world.alice, query="refunds paid", limit=1)
    assert "paid within five days" in best[0].content
    assert len(best[0].content) < 1_500


def test_documents_stay_with_who_may_see_them(library):
    world = library
    assert "Bob's notes" in titles(world, world.bob, "refunds")
    assert "Bob's notes" not in titles(world, world.alice, "refunds")
    assert titles(world, None, "refunds") == titles(world, world.alice, "refunds")
    assert titles(world, world.charlie, "refunds") == []
    Membership.objects.filter(user=world.bob).update(is_active=False)
    assert titles(world, world.bob, "refunds") == []


@pytest.mark.parametrize(
    "query", ["", "???", "the of and", "' or 1=1 --", '"', "a & | ! <-> b", "-"]
)
def test_odd_queries_find_nothing_and_break_nothing(library, query):
    assert search_documents(library.organisation, user=library.alice, query=query) == []


def test_what_may_be_added(world):
    for title, text in (("", "x"), ("x", " \x00 "), ("x", "y" * 100_001)):
        with pytest.raises(InvalidInput):
            add_document(world.organisation, title=title, text=text, is_shared=True)
    with pytest.raises(InvalidInput):
        add_document(world.organisation, title="x", text="y")
    with pytest.raises(NotFound):
        add_document(world.organisation, title="x", text="y", created_by=world.charlie)
    # As many different words as fit: the index of the row has to hold them.
    words = " ".join(chr(0x10400 + n % 40) + chr(0x4E00 + n) for n in range(33_000))[:100_000]
    add_document(world.organisation, title="Words", text=words, is_shared=True)


def test_documents_are_deleted_by_who_may(library):
    world = library

    def delete(user, title):
        return use("delete_document", {"title": title}, context_of(world, user))

    for user, title in (
        (world.bob, "Refund policy"),
        (world.alice, "Bob's notes"),
        (world.charlie, "Shipping"),
        (world.alice, "Theirs"),
        (world.alice, "No such"),
    ):
        with pytest.raises(ToolError):
            delete(user, title)
    assert Document.objects.count() == 4
    assert delete(world.bob, "bob's notes") == {"deleted": "Bob's notes"}
    assert delete(world.adam, "Shipping") == {"deleted": "Shipping"}
    add_document(world.organisation, title="Refund policy", text="again", is_shared=True)
    with pytest.raises(ToolError, match="Several"):
        delete(world.alice, "Refund policy")


def test_a_tool_with_a_bad_argument_does_not_run():
    for name, arguments in (
        ("calculator", {}),
        ("search_knowledge", {"query": "x", "limit": 1000}),
        ("get_context", {"which": "everybody"}),
        ("fetch_web_page", {"url": "x", "method": "DELETE"}),
    ):
        with pytest.raises(ValueError):
            asyncio.run(use(name, arguments))
