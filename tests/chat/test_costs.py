"""What answers and threads cost, as people in them see it."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from agents_app.models import Agent as AgentRow
from agents_app.models import AICall
from agents_app.providers.events import Usage
from agents_app.providers.parts import ToolCallPart
from agents_app.providers.registry import use_embedding_model
from agents_app.providers.scripted import ScriptedModel, ScriptedStep
from agents_app.providers.scripted_embeddings import ScriptedEmbeddingModel
from agents_app.runtime.agent import Agent, UsageReport, _registered, register_agent
from agents_app.services.spaces import ensure_space
from agents_app.types import AgentOptions, ContextOptions, SearchOptions
from billing_app.models import UsageRecord
from billing_app.services.costs import cost_of_messages, cost_of_thread
from billing_app.types.costs import CallCost, finely
from chat_app.live.announce import render_changes, render_title
from chat_app.live.catch_up import missed_since
from chat_app.models import Message, Thread, TurnStatus
from chat_app.services.conversation import continue_thread
from chat_app.services.stopping import stop_turn
from one_project.workflows.worker.engine import KEEP_EVERY
from tests.billing.prices import add_prices
from tests.chat.playing import asked, client_of, ledger
from tests.chat.test_engine import Gate, ended, running_engine, wait_until
from tests.chat.tools import call, give_tools, registered_tools
from tests.people import World

USED = Usage(10_000, 1000)
COST = Decimal("0.0021")  # at 0.15 and 0.6 for a million


class Priced(ScriptedModel):
    provider = "openai"

    def __init__(self, *steps: Any) -> None:
        super().__init__(steps, model="gpt-4o-mini")


def said(text: str) -> ScriptedStep:
    return ScriptedStep([text], usage=USED)


@pytest.mark.parametrize(
    ("amount", "words"),
    [("0.0042", "$0.0042"), ("0.00004", "<$0.0001"), ("0.99995", "$1.0000"), ("12.345", "$12.35")],
)
def test_amounts_below_a_dollar_have_four_decimals(amount: str, words: str) -> None:
    assert finely(Decimal(amount)) == words


@pytest.mark.django_db
def test_only_people_in_the_thread_see_its_cost(world: World) -> None:
    turn = asked(world.thread(world.bob), cost=Decimal("0.0042"))
    html = client_of(world.bob).get(f"/chat/{turn.thread_id}/").content.decode()
    assert "$0.0042 · 23 tokens" in html
    assert html.count("$0.0042") == 2, "at the answer, and in the thread's head"
    for stranger in (world.stella, world.charlie):
        assert client_of(stranger).get(f"/chat/{turn.thread_id}/").status_code == 404
    assert cost_of_thread(world.elsewhere.pk, turn.thread_id) == CallCost()
    assert cost_of_messages(world.elsewhere.pk, turn.thread_id, [turn.pk]) == {}


@pytest.mark.django_db
def test_a_price_that_is_missing_is_said_and_what_is_free_is_not(world: World) -> None:
    turn = asked(world.thread())
    alice = client_of(world.alice)
    assert "no price yet · 23 tokens" in alice.get(f"/chat/{turn.thread_id}/").content.decode()
    free = asked(world.thread(), cost=Decimal(0))
    assert 'class="cost"' not in alice.get(f"/chat/{free.thread_id}/").content.decode()


@pytest.mark.django_db
def test_trials_are_no_part_of_what_a_thread_costs(world: World) -> None:
    turn = asked(world.thread(), cost=Decimal("0.5"))
    ledger(turn, cost=Decimal("0.25"), purpose="title", turn_id=None, message_id=None)
    ledger(turn, cost=Decimal(9), purpose="playground")
    assert cost_of_thread(world.organisation.pk, turn.thread_id).cost == Decimal("0.75")
    found = cost_of_messages(world.organisation.pk, turn.thread_id, [turn.pk, turn.message_id])
    assert {one.cost for one in found.values()} == {Decimal("0.5")}


def page_of(client: Client, thread: Thread) -> str:
    return client.get(f"/chat/{thread.pk}/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_an_answer_with_tools_shows_its_whole_cost_live_and_loaded(committed_world: World) -> None:
    world = committed_world
    add_prices()
    thread = world.thread()
    step = ScriptedStep([call("look_up")], usage=USED)
    give_tools(world, "look_up")
    with registered_tools(), running_engine(Priced(step, said("Done."))):
        turn = continue_thread(thread, user=world.alice, message="q")
        wait_until(ended(turn))
    turn.refresh_from_db()
    page, shown = page_of(client_of(world.alice), thread), "$0.0042 · 22,000 tokens"
    assert page.count(shown) == 1
    for message in Message.objects.filter(thread=thread):
        assert render_changes(thread.pk, [message.pk]).strip() in page
    # Whoever was away hears of the cost in the head as well.
    missed = missed_since(thread.pk, 1)
    assert missed is not None
    assert "Cost to date: </span>$0.0042" in missed.record.decode()
    thread.refresh_from_db()
    [head] = [line for line in render_title(thread).splitlines() if "thread-agent" in line]
    assert head.strip() in page


@pytest.fixture
def reports(committed_world: World) -> Iterator[list[UsageReport]]:
    """What the handler of the world's agent is told, which searches its threads by meaning."""
    told: list[UsageReport] = []
    searching = ContextOptions(search_options=SearchOptions(vector_search=True, limit=3))
    options = AgentOptions(context=searching)
    guide = Agent(
        name="Guide", options=options, tools=("search_messages",), usage_handler=told.append
    )
    register_agent("counted", guide)
    AgentRow.objects.filter(pk=committed_world.agent.pk).update(code_name="counted")
    with use_embedding_model(ScriptedEmbeddingModel()):
        ensure_space()
        yield told
    _registered.pop("counted")


@pytest.mark.django_db(transaction=True)
def test_a_stopped_answer_counts_with_what_it_said(
    committed_world: World, reports: list[UsageReport]
) -> None:
    gate = Gate()
    with running_engine(Priced(["one ", gate])):
        turn = continue_thread(committed_world.thread(), user=committed_world.alice, message="q")
        wait_until(lambda: gate.reached)
        stop_turn(turn.thread, turn.pk)
        wait_until(ended(turn))
    vector, row = UsageRecord.objects.filter(turn_id=turn.pk).order_by("recorded_at")
    assert (row.is_aborted, row.is_estimated, row.output_tokens) == (True, True, 1)
    assert (vector.purpose, vector.output_tokens) == ("embedding", 0)
    for each in (vector, row):
        assert (each.message_id, each.user_id) == (turn.message_id, committed_world.alice.pk)
    assert [(one.record_id, one.is_aborted) for one in reports] == [
        (vector.pk, False),
        (row.pk, True),
    ]


@pytest.mark.django_db(transaction=True)
def test_the_handler_is_told_of_vectors_that_tools_ask_for(
    committed_world: World, reports: list[UsageReport]
) -> None:
    wanted = ToolCallPart("c1", "search_messages", {"query": "boats"})
    looks = ScriptedStep([wanted], usage=USED)
    with running_engine(Priced(looks, said("None."))):
        turn = continue_thread(committed_world.thread(), user=committed_world.alice, message="q")
        wait_until(ended(turn))
        wait_until(lambda: len(reports) == 4)
    kept = {row.pk: row.purpose for row in UsageRecord.objects.filter(turn_id=turn.pk)}
    assert {one.record_id: one.purpose for one in reports} == kept
    assert sorted(kept.values()) == ["answer", "answer", "embedding", "embedding"]


@pytest.mark.django_db(transaction=True)
def test_a_handler_may_take_longer_than_the_lease_that_its_answer_gave_up(
    committed_world: World, reports: list[UsageReport]
) -> None:
    async def slow(report: UsageReport) -> None:
        await asyncio.sleep(2.5 * KEEP_EVERY)  # two looks at leases
        reports.append(report)

    register_agent("counted", Agent(name="Guide", usage_handler=slow))
    with running_engine(Priced(said("Yes."))):
        turn = continue_thread(committed_world.thread(), user=committed_world.alice, message="q")
        wait_until(ended(turn))
        wait_until(lambda: len(reports) == 1)
    assert reports[0].turn_id == turn.pk


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_another_worker_goes_on_with_counts_twice(committed_world: World) -> None:
    """Both workers have asked the provider, and both calls are paid."""
    gate = Gate()
    with running_engine(Priced(["one ", gate])):
        turn = continue_thread(committed_world.thread(), user=committed_world.alice, message="q")
        wait_until(lambda: gate.reached)
    assert [row.is_aborted for row in UsageRecord.objects.filter(turn_id=turn.pk)] == [True]
    with running_engine(Priced(said("two"))):
        wait_until(ended(turn))
    turn.refresh_from_db()
    assert turn.status == TurnStatus.SUCCESS
    rows = UsageRecord.objects.filter(turn_id=turn.pk).order_by("recorded_at")
    assert [(row.is_aborted, row.output_tokens) for row in rows] == [(True, 1), (False, 1000)]
    assert {row.pk for row in rows} == set(AICall.objects.values_list("pk", flat=True))
