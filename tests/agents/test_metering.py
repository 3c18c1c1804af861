"""One record for each call of a provider, with what it used, whatever form it came in.

The real client against a real server on 127.0.0.1.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from agents_app.models import AICall
from agents_app.providers.base import ChatMessage, ChatRequest
from agents_app.providers.errors import ModelError
from agents_app.providers.openai import OpenAIChatModel, close_clients
from agents_app.providers.openai_embeddings import OpenAIEmbeddingModel
from agents_app.runtime.ask import Patience
from agents_app.runtime.recorded import Caller, RecordedCall, Recorder
from agents_app.runtime.recorded_embeddings import RecordedEmbedder
from agents_app.services.ai_calls import keep_calls
from agents_app.services.metering import missing_records
from billing_app.models import BegunCall, UsageRecord
from billing_app.types.periods import period_of
from tests.agents.providers.raw_server import (
    RawServer,
    Reply,
    chunk,
    json_reply,
    running_raw_server,
    sse,
)
from tests.billing.prices import add_prices
from tests.people import World

pytestmark = pytest.mark.django_db
KEY = "canary-metering-key"
ASKED = "What does it cost to say this?"
INSIDE = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
BESIDE = {
    "prompt_tokens": 100,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
# 60 fresh at 0.15, 40 cached at 0.075, 50 said at 0.6, each for a million.
COST = Decimal("0.000042")


@pytest.fixture(autouse=True)
def _prices(db: None) -> None:
    add_prices()


def named(payload: dict[str, Any]) -> dict[str, Any]:
    return {**payload, "model": "gpt-4o-mini"}


def words(*texts: str) -> list[dict[str, Any]]:
    return [named(chunk({"content": text})) for text in texts]


def ending(usage: dict[str, Any] | None, *, beside_choices: bool = False, **more: Any) -> list[Any]:
    """The last chunks: usage alone after the reason, or with it."""
    if beside_choices:
        return [named(chunk({}, "stop", usage=usage, **more)), b"[DONE]"]
    alone = {"id": "r1", "choices": [], "usage": usage, **more}
    return [named(chunk({}, "stop")), *([named(alone)] if usage else []), b"[DONE]"]


def whole(usage: dict[str, Any] | None, text: str = "Hello there") -> Reply:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json_reply(named({"id": "r1", "choices": [choice], "usage": usage}))


def streamed(*payloads: Any, ending: str = "end") -> Reply:
    return Reply([sse(payload) for payload in payloads], ending=ending)


def serving(*replies: Reply, body: Callable[[RawServer], Awaitable[Any]]) -> Any:
    async def served() -> Any:
        async with running_raw_server() as raw:
            raw.add(*replies)
            try:
                return await body(raw)
            finally:
                await close_clients()

    return asyncio.run(served())


def asked(*replies: Reply, upto: int | None = None, **options: Any) -> list[RecordedCall]:
    """The calls that asking once takes; left after ``upto`` reads."""

    async def body(raw: RawServer) -> list[RecordedCall]:
        request = ChatRequest(messages=(ChatMessage.text("user", ASKED),), **options)
        model = OpenAIChatModel("gpt-4o-mini", api_key=KEY, base_url=raw.url)
        recorder = Recorder(model, request, Caller())
        reads = 0
        with suppress(ModelError):
            async with aclosing(recorder.ask(Patience(retries=(0.0, 0.0)))) as answer:  # type: ignore[type-var]
                async for _ in answer:
                    reads += 1
                    if reads == upto:
                        break
        return recorder.calls

    return serving(*replies, body=body)  # type: ignore[no-any-return]


def recorded(calls: list[RecordedCall]) -> list[UsageRecord]:
    keep_calls(calls)
    found = UsageRecord.objects.in_bulk([call.id for call in calls])
    return [found[call.id] for call in calls]


FACTS = (
    "provider", "model", "model_requested", "model_returned", "service_tier", "purpose",
    "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "is_estimated", "is_aborted", "pricing", "cost",
)  # fmt: skip


def facts(record: UsageRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in FACTS}


@pytest.mark.parametrize("usage", [INSIDE, BESIDE, None], ids=["inside", "beside", "missing"])
def test_streamed_costs_what_unstreamed_costs(usage: dict[str, Any] | None) -> None:
    said = words("Hel", "lo ", "there")
    forms = [
        streamed(*said, *ending(usage)),
        streamed(*said, *ending(usage, beside_choices=True)),
        # The count goes up with every chunk; the last one is the sum.
        streamed(*({**each, "usage": {"prompt_tokens": 1}} for each in said), *ending(usage))
        if usage
        else streamed(*said, *ending(None)),
        whole(usage),
    ]
    rows = [recorded(asked(form)) for form in forms]
    first, *others = [facts(row) for [row] in rows]
    assert others == [first] * 3
    assert (first["model_requested"], first["model_returned"]) == ("gpt-4o-mini", "gpt-4o-mini")
    assert first["is_estimated"] is (usage is None)
    if usage:
        assert (first["input_tokens"], first["cached_input_tokens"]) == (100, 40)
        assert (first["output_tokens"], first["reasoning_tokens"]) == (50, 20)
        assert first["cost"] == COST
    else:
        assert (first["input_tokens"], first["output_tokens"]) == (8, 3)


@pytest.mark.parametrize("output", [1, 2], ids=["first", "middle"])
def test_what_is_stopped_counts_with_what_it_said(output: int) -> None:
    said = words("one ", "two ", "3  ")
    # No more is sent than is read, in one piece: reads of the network are nobody's to count.
    reply = Reply([sse(*said[:output])], ending="open")
    [row] = recorded(asked(reply, upto=1))
    assert row.is_aborted
    assert row.is_estimated
    assert (row.input_tokens, row.output_tokens) == (8, output)
    assert row.cost > 0
    assert AICall.objects.get(pk=row.pk).status == "stopped"


def test_what_is_left_at_its_last_word_counts_as_the_provider_says() -> None:
    reply = Reply([sse(*words("one "), *ending(INSIDE))])
    [row] = recorded(asked(reply, upto=2))
    assert (row.is_aborted, row.is_estimated, row.cost) == (False, False, COST)


def test_a_repeated_call_is_paid_once_for_each_answer_of_the_provider() -> None:
    answer = streamed(*words("Hello"), *ending(INSIDE))
    refused, answered = recorded(asked(json_reply({"error": {"message": "x"}}, 500), answer))
    assert (refused.is_aborted, refused.input_tokens, refused.cost) == (True, 0, 0)
    assert answered.cost == COST
    cut, again = recorded(asked(streamed(*words("Hel"), ending="cut"), answer))
    assert (cut.is_aborted, cut.is_estimated, cut.output_tokens) == (True, True, 1)
    assert (again.is_aborted, again.cost) == (False, COST)
    assert len({refused.pk, answered.pk, cut.pk, again.pk}) == 4


class Noting(list[RecordedCall]):
    """Says that a call was noted."""

    def __init__(self, noted: asyncio.Event) -> None:
        super().__init__()
        self._noted = noted

    def append(self, call: RecordedCall) -> None:
        super().append(call)
        self._noted.set()


def test_whoever_leaves_between_two_attempts_pays_for_the_first_only() -> None:
    async def body(raw: RawServer) -> list[RecordedCall]:
        model = OpenAIChatModel("gpt-4o-mini", api_key=KEY, base_url=raw.url)
        request = ChatRequest(messages=(ChatMessage.text("user", ASKED),))
        noted = asyncio.Event()
        recorder = Recorder(model, request, Caller(), calls=Noting(noted))

        async def read() -> None:
            async for _ in recorder.ask(Patience(retries=(60.0,))):
                pass

        task = asyncio.create_task(read())
        await noted.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        recorder.stopped()
        return recorder.calls

    calls = serving(json_reply({"error": {"message": "x"}}, 500), body=body)
    assert [call.status for call in calls] == ["failed"]


def test_the_tier_is_the_one_that_the_provider_has_served() -> None:
    said = words("Hello")
    wish = {"provider_options": {"service_tier": "priority"}}
    [unsaid] = recorded(asked(streamed(*said, *ending(INSIDE)), **wish))
    [usual] = recorded(asked(streamed(*said, *ending(INSIDE, service_tier="default")), **wish))
    [flex] = recorded(asked(streamed(*said, *ending(INSIDE, service_tier="flex"))))
    assert [row.service_tier for row in (unsaid, usual, flex)] == ["priority", "", "flex"]


def test_the_same_call_again_is_recorded_once_and_under_one_key(world: World) -> None:
    [made] = asked(streamed(*words("Hello"), *ending(INSIDE)))
    made.caller.organisation_id = world.organisation.pk
    assert made.cost is None
    for _ in range(2):
        keep_calls([made])
    assert made.cost == COST
    assert AICall.objects.get().pk == UsageRecord.objects.get().pk == made.id
    assert AICall.objects.get().cost_micros == 42


def test_counts_beyond_all_bounds_fail_no_answer(world: World) -> None:
    absurd = {"prompt_tokens": 10**15, "completion_tokens": 1, "total_tokens": 10**15}
    [made] = asked(streamed(*words("Hello"), *ending(absurd)))
    made.caller.organisation_id = world.organisation.pk
    [row] = recorded([made])
    assert (row.input_tokens, row.output_tokens) == (10**12, 1)


def test_a_call_without_a_record_is_found(world: World) -> None:
    month = period_of(timezone.now())
    [made] = asked(streamed(*words("Hello"), *ending(INSIDE)))
    made.caller.organisation_id = world.organisation.pk
    keep_calls([made])
    assert missing_records(month) == 0
    AICall.objects.create(organisation=world.organisation, status="success", model="m")
    assert missing_records(month) == 1
    assert missing_records(date(2020, 1, 1)) == 0


# -- embeddings


def vectors(count: int, tokens: int) -> Reply:
    data = [{"index": i, "object": "embedding", "embedding": [1.0, 0.0]} for i in range(count)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json_reply(
        {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}
    )


def embedded(*replies: Reply, texts: int, caller: Caller) -> list[RecordedCall]:
    async def body(raw: RawServer) -> list[RecordedCall]:
        model = OpenAIEmbeddingModel("text-embedding-3-small", api_key=KEY, base_url=raw.url)
        recorder = RecordedEmbedder(model, caller)
        with suppress(ModelError):
            await recorder.embed(["word"] * texts)
        return recorder.take()

    return serving(*replies, body=body)  # type: ignore[no-any-return]


@pytest.fixture
def searching(committed_world: World) -> Caller:
    world = committed_world
    return Caller(organisation_id=world.organisation.pk, user_id=world.bob.pk)


@pytest.mark.django_db(transaction=True)
def test_each_request_for_vectors_is_a_record(searching: Caller) -> None:
    replies = vectors(256, 1000), vectors(44, 500)
    rows = recorded(embedded(*replies, texts=300, caller=searching))
    assert [(row.input_tokens, row.output_tokens, row.cost) for row in rows] == [
        (1000, 0, Decimal("0.00002")),
        (500, 0, Decimal("0.00001")),
    ]
    assert {(row.purpose, row.user_id) for row in rows} == {("embedding", searching.user_id)}
    assert not BegunCall.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_vectors_that_came_before_a_failure_are_paid(searching: Caller) -> None:
    replies = vectors(256, 1000), json_reply({"error": {"message": "x"}}, 400)
    made, failed = recorded(embedded(*replies, texts=300, caller=searching))
    assert (made.input_tokens, made.is_aborted) == (1000, False)
    assert (failed.input_tokens, failed.cost, failed.is_aborted) == (0, 0, True)
