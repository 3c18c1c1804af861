"""Effects that nobody knows of: a tool that took too long, a receiver that never answered."""

import asyncio

import pytest
from aiohttp import web

from agents_app.models import CallStatus
from agents_app.runtime.tool_use import use_tool
from agents_app.tools.definitions import (
    NoArguments,
    ToolContext,
    ToolError,
    builtin_tools,
    define,
)
from one_project.accounts.models import Event, Organisation
from one_project.accounts.services.events import record_event
from one_project.common.ids import new_id
from tests.agents.asking import run
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


def half_done(arguments: NoArguments, context: ToolContext) -> None:
    """Write something, then fail."""
    record_event(context.organisation, "half_done")
    raise ToolError("no luck")


@pytest.mark.django_db(transaction=True)
def test_a_tool_in_a_transaction_has_no_half_effect(committed_world):
    made = define(half_done, name="half_done", effect="write", in_transaction=True)
    outcome = run(use_tool(made, ToolContext(organisation=committed_world.organisation), {}))
    assert outcome.status == CallStatus.FAILED
    assert not Event.objects.filter(kind="half_done").exists()
