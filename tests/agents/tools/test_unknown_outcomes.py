"""Effects that nobody knows of: a tool that took too long, a receiver that never answered."""

import asyncio

import pytest
from aiohttp import web

from agents_app.models import CallStatus
from agents_app.runtime.tool_use import use_tool
from agents_app.tools.definitions import NoArguments, ToolContext, builtin_tools, define
from one_project.accounts.models import Organisation
from one_project.common.ids import new_id
from tests.integrations.web_server import running_web_server


async def never_ends(arguments: NoArguments) -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


def context(**config):
    return ToolContext(organisation=Organisation(name="Acme"), key=new_id(), config=config)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"effect": "read"}, CallStatus.TIMED_OUT),
        ({"effect": "external", "idempotent": True}, CallStatus.TIMED_OUT),
        ({"effect": "external"}, CallStatus.UNKNOWN),
        ({"effect": "destructive"}, CallStatus.UNKNOWN),
        ({"effect": "write"}, CallStatus.UNKNOWN),
    ],
)
async def test_what_took_too_long_may_have_taken_effect(options, status):
    made = define(never_ends, name="never_ends", timeout=0.01, **options)
    outcome = await use_tool(made, context(), {})
    assert (outcome.status, outcome.error_code) == (
        status,
        "outcome_unknown" if status == CallStatus.UNKNOWN else "timeout",
    )


async def post(url):
    outcome = await use_tool(builtin_tools()["post_webhook"], context(url=url), {"text": "hi"})
    return outcome.status


async def test_a_webhook_without_an_answer_may_have_been_heard(settings):
    settings.ONE_HTTP_ALLOW_PRIVATE = True

    async def hang_up(request):
        request.transport.abort()
        return web.Response()

    async with running_web_server(hang_up) as server:
        assert await post(server.url) == CallStatus.UNKNOWN
    assert server.requests, "it was sent"
    # Nobody listens there any more.
    assert await post(server.url) == CallStatus.FAILED
    assert await post("ftp://example.test/") == CallStatus.FAILED
