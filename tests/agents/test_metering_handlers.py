"""Usage handlers: who is told, of what, and what they can break."""

from decimal import Decimal
from typing import Any

import pytest

from agents_app.models import AICall
from agents_app.providers.errors import ModelError
from agents_app.providers.events import TextDelta, Usage
from agents_app.providers.registry import use_embedding_model, use_model
from agents_app.providers.scripted import ScriptedModel, ScriptedStep
from agents_app.providers.scripted_embeddings import ScriptedEmbeddingModel
from agents_app.runtime.agent import Agent, UsageReport
from agents_app.services.spaces import ensure_space
from agents_app.tools.definitions import Arguments, ToolContext, define
from agents_app.types import AgentOptions, ContextOptions, SearchOptions
from billing_app.models import UsageRecord
from tests.agents.asking import call, run, weather_tool
from tests.billing.prices import add_prices
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)
RAW = {"prompt_tokens": 1000, "completion_tokens": 100, "note": "as it was sent"}
USED = Usage(1000, 100, raw=RAW)
COST = Decimal("0.00021")


class Priced(ScriptedModel):
    provider = "openai"

    def __init__(self, *steps: Any) -> None:
        super().__init__(steps, model="gpt-4o-mini")


class Nothing(Arguments):
    """No arguments."""


class Broken(Exception):
    """A handler's own trouble."""


def told_by(reports: list[UsageReport]) -> dict[Any, tuple[Any, ...]]:
    return {
        one.record_id: (one.model, one.provider, one.purpose, one.usage.total_tokens, one.cost)
        for one in reports
    }


def kept() -> dict[Any, tuple[Any, ...]]:
    return {
        row.pk: (
            row.model_returned or row.model_requested,
            row.provider,
            row.purpose,
            row.total_tokens,
            row.cost,
        )
        for row in UsageRecord.objects.all()
    }


def test_each_call_of_an_answer_is_told_with_its_record(committed_world: World) -> None:
    """A tool loop, a call that was repeated, and the vector that the context needs."""
    world = committed_world
    add_prices()
    reports: list[UsageReport] = []
    searching = ContextOptions(search_options=SearchOptions(vector_search=True, limit=3))
    agent = Agent(
        name="Helper",
        tools=(weather_tool(),),
        options=AgentOptions(context=searching, retries=1),
        usage_handler=reports.append,
    )
    thread = world.thread()
    model = Priced(
        ScriptedStep([call("weather", city="Rome")], usage=USED),
        ScriptedStep(["Sun"], fail=ModelError("server_error", retryable=True)),
        ScriptedStep(["Sunny."], usage=USED),
    )
    with use_embedding_model(ScriptedEmbeddingModel()), use_model(model):
        ensure_space(64)
        run(agent.generate_text(prompt="Rome?", thread_id=thread.pk, user=world.alice))
    assert told_by(reports) == kept()
    assert set(kept()) == set(AICall.objects.values_list("pk", flat=True))
    assert [one.purpose for one in reports] == ["embedding", "answer", "answer", "answer"]
    assert [one.is_aborted for one in reports] == [False, False, True, False]
    assert {(one.user_id, one.thread_id, one.agent_name) for one in reports} == {
        (world.alice.pk, thread.pk, "Helper")
    }
    vector, first, _, last = reports
    assert (vector.usage.output_tokens, vector.cost) == (0, 0)
    assert (first.provider_metadata, first.cost, last.cost) == (RAW, COST, COST)
    assert first.message_id != last.message_id


def test_vectors_that_tools_ask_for_are_told_to_who_uses_them(committed_world: World) -> None:
    """An agent that is used as a tool has a handler of its own."""
    add_prices()
    reports: list[UsageReport] = []
    inner_reports: list[UsageReport] = []
    inner = Agent(name="Librarian", tools=("search_messages",), usage_handler=inner_reports.append)
    agent = Agent(
        name="Helper",
        tools=("search_messages", inner.as_tool("ask", "Ask the librarian")),
        usage_handler=reports.append,
    )
    thread = committed_world.thread()
    model = Priced(
        ScriptedStep([call("search_messages", query="boats")], usage=USED),
        ScriptedStep([call("ask", prompt="Boats?")], usage=USED),
        ScriptedStep([call("search_messages", query="ships")], usage=USED),
        ScriptedStep(["No."], usage=USED),
        ScriptedStep(["None."], usage=USED),
    )
    with use_embedding_model(ScriptedEmbeddingModel()), use_model(model):
        ensure_space(64)
        run(agent.generate_text(prompt="Boats?", thread_id=thread.pk, user=committed_world.alice))
    assert [one.purpose for one in reports] == ["answer", "embedding", "answer", "answer"]
    assert [one.purpose for one in inner_reports] == ["answer", "embedding", "answer"]
    assert told_by([*reports, *inner_reports]) == kept()


def test_what_was_asked_is_metered_before_tools_run(committed_world: World) -> None:
    """They may take long, and take the process with them."""
    metered: list[int] = []

    def look(arguments: Nothing, context: ToolContext) -> str:
        """Count the records."""
        metered.append(UsageRecord.objects.count())
        return "seen"

    agent = Agent(name="Helper", tools=(define(look, name="look"),))
    model = Priced(ScriptedStep([call("look")], usage=USED), ScriptedStep(["Done."], usage=USED))
    with use_model(model):
        run(agent.generate_text(prompt="q"))
    assert metered == [1]
    assert UsageRecord.objects.count() == AICall.objects.count() == 2


def test_the_call_wins_over_the_thread_and_the_thread_over_the_agent(
    committed_world: World,
) -> None:
    told: list[str] = []

    def handler(name: str) -> Any:
        return lambda report: told.append(name)

    async def later(report: UsageReport) -> None:
        told.append("call")

    agent = Agent(name="Helper", usage_handler=handler("agent"))

    async def body() -> None:
        bound = await agent.create_thread(
            committed_world.organisation,
            user=committed_world.alice,
            usage_handler=handler("thread"),
        )
        plain = await agent.continue_thread(bound.thread_id)
        again = await agent.continue_thread(bound.thread_id, usage_handler=handler("again"))
        for thread in (plain, bound, again):
            await thread.generate_text(prompt="q")
        await bound.generate_text(prompt="q", usage_handler=later)

    with use_model(Priced("a", "b", "c", "d")):
        run(body())
    assert told == ["agent", "thread", "again", "call"]


def test_calls_that_failed_or_were_left_are_told(committed_world: World) -> None:
    add_prices()
    reports: list[UsageReport] = []

    def broken(report: UsageReport) -> None:
        reports.append(report)
        raise Broken

    agent = Agent(name="Helper", options=AgentOptions(retries=0), usage_handler=broken)

    async def left() -> None:
        async with agent.stream_text(prompt="q") as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break

    failing = Priced(ScriptedStep(["He"], fail=ModelError("server_error")))
    with use_model(failing), pytest.raises(ModelError):
        run(agent.generate_text(prompt="q"))
    with use_model(Priced(ScriptedStep(["one ", "two "]))):
        run(left())
    assert [one.is_aborted for one in reports] == [True, True]
    assert [one.usage.output_tokens for one in reports] == [1, 1]
    assert told_by(reports) == kept()


def test_what_a_handler_breaks_loses_no_record(committed_world: World) -> None:
    def broken(report: UsageReport) -> None:
        raise Broken

    agent = Agent(name="Helper", usage_handler=broken)
    with use_model(Priced(ScriptedStep(["Hello."], usage=USED))), pytest.raises(Broken):
        run(agent.generate_text(prompt="q"))
    assert UsageRecord.objects.get().total_tokens == 1100
