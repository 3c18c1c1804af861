"""Calls whose process dies while a model speaks: what the provider charges is counted all the same.

A process that was killed is one that keeps nothing: here nobody stores what a recorder has noted.
"""

import asyncio
from contextlib import aclosing
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from agents_app.providers.base import ChatMessage, ChatRequest
from agents_app.providers.errors import ModelError
from agents_app.providers.events import Finished, Usage
from agents_app.providers.scripted import ScriptedModel, ScriptedStep
from agents_app.providers.scripted_embeddings import ScriptedEmbeddingModel
from agents_app.runtime import recorded
from agents_app.runtime.ask import Patience
from agents_app.runtime.recorded import Caller, Recorder
from agents_app.runtime.recorded_embeddings import RecordedEmbedder
from agents_app.services.ai_calls import keep_calls
from billing_app.models import BegunCall, Reservation, TokenType, UsageRecord, Wallet
from billing_app.services import budgets
from billing_app.services.begun_calls import LOST_AFTER, record_lost
from billing_app.services.budget_settings import set_budget
from tests.billing.prices import add_prices, price
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)
ASKED = "What does it cost to say this?"  # 30 characters: 8 tokens


class Dear(ScriptedModel):
    """A token costs a cent, given or said."""

    provider = "openai"

    def __init__(self, *steps: Any) -> None:
        super().__init__(steps, model="dear")


class DearVectors(ScriptedEmbeddingModel):
    provider = "openai"


@pytest.fixture(autouse=True)
def _prices(transactional_db: None) -> None:
    kinds = (TokenType.INPUT, TokenType.OUTPUT)
    add_prices(
        *(price(model="dear", token_type=kind, amount=10_000) for kind in kinds),
        price(model=DearVectors().model, token_type=TokenType.EMBEDDING, amount=10_000),
    )


@pytest.fixture
def limited(committed_world: World) -> World:
    set_budget(committed_world.organisation, scope="organisation", hard_limit=Decimal(100))
    return committed_world


def caller(world: World) -> Caller:
    return Caller(
        organisation_id=world.organisation.pk,
        user_id=world.bob.pk,
        agent_id=world.agent.pk,
        agent_name="Guide",
    )


def asking(world: World, *steps: Any, upto: int | None = None) -> Recorder:
    """Ask until the end, or until ``upto`` reads; what was noted is kept by nobody."""

    async def read() -> Recorder:
        request = ChatRequest(messages=(ChatMessage.text("user", ASKED),))
        recorder = Recorder(Dear(*steps), request, caller(world))
        reads = 0
        async with aclosing(recorder.ask(Patience(retries=(0.0,)))) as events:  # type: ignore[type-var]
            async for _ in events:
                reads += 1
                if reads == upto:
                    break
        if recorder._saying is not None:
            await recorder._saying
        return recorder

    return asyncio.run(read())


def time_passes(*, hours: float = 1.1) -> None:
    BegunCall.objects.update(seen_at=timezone.now() - timedelta(hours=hours))


def test_a_lost_call_is_counted_once_as_it_was_heard_of_last(
    limited: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "SAY_EVERY", 0.0)
    recorder = asking(limited, ["twenty characters..."], upto=1)
    assert record_lost() == 0, "it may be under way still"
    time_passes()
    begun = BegunCall.objects.get()
    assert (record_lost(), record_lost()) == (1, 0)
    row = UsageRecord.objects.get()
    assert (row.is_aborted, row.is_estimated, row.occurred_at) == (True, True, begun.seen_at)
    assert (row.input_tokens, row.output_tokens, row.cost) == (8, 5, Decimal("0.13"))
    assert (row.user_id, row.agent_name, row.model) == (limited.bob.pk, "Guide", "dear")
    wallet = Wallet.objects.get()
    assert (wallet.spent, wallet.reserved) == (row.cost, 0)
    # Its process was only slow: the same attempt.
    keep_calls(recorder.calls)
    assert UsageRecord.objects.get() == row
    assert Wallet.objects.get().spent == row.cost


def test_what_is_recorded_is_not_under_way_whatever_became_of_it(limited: World) -> None:
    used = Usage(input_tokens=10, output_tokens=1)
    broken = ScriptedStep(["Hel"], fail=ModelError("server_error", retryable=True))
    for steps in (["Hello", Finished("stop", used)],), (broken, ["Hello", Finished("stop", used)]):
        recorder = asking(limited, *steps)
        assert BegunCall.objects.count() == 1
        keep_calls(recorder.calls)
        assert not BegunCall.objects.exists()
    assert sorted(row.is_aborted for row in UsageRecord.objects.all()) == [False, False, True]
    assert Wallet.objects.get().reserved == 0


def test_a_call_that_goes_on_keeps_what_is_held_for_it(
    limited: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "SAY_EVERY", 0.0)

    async def slowly() -> None:
        request = ChatRequest(messages=(ChatMessage.text("user", ASKED),), max_tokens=256)
        recorder = Recorder(Dear(["one ", "two"]), request, caller(limited))
        async with aclosing(recorder.ask(Patience())) as events:  # type: ignore[type-var]
            await anext(events)
            assert recorder._saying is not None
            await recorder._saying

    asyncio.run(slowly())
    begun, held = BegunCall.objects.get(), Reservation.objects.get()
    assert held.expires_at > begun.created_at + timedelta(minutes=30)
    assert begun.output_tokens > 0
    assert budgets.sweep_reservations() == 0


def test_one_that_cannot_be_recorded_keeps_no_other_waiting(committed_world: World) -> None:
    for _ in range(2):
        asking(committed_world, ["Hello"], upto=1)
    first = BegunCall.objects.earliest("created_at")
    first.use["input_tokens"] = -1
    first.save()
    time_passes()
    assert record_lost() == 1
    assert BegunCall.objects.get() == first


def test_two_sweepers_record_it_once(committed_world: World) -> None:
    from tests.billing.spending import at_once

    asking(committed_world, ["Hello"], upto=1)
    time_passes()
    assert sorted(at_once(*[record_lost] * 4)) == [0, 0, 0, 1]
    assert UsageRecord.objects.count() == 1


def test_the_time_after_which_calls_are_lost_is_longer_than_models_may_be_silent(
    settings: Any,
) -> None:
    silent = max(settings.ONE_TURN_IDLE_TIMEOUT, settings.ONE_TURN_FIRST_TOKEN_TIMEOUT)
    assert timedelta(seconds=2 * silent) < LOST_AFTER


# --- Vectors


def embedding(world: World, *, is_limited: bool) -> RecordedEmbedder:
    return RecordedEmbedder(DearVectors(), caller(world), is_limited)


def test_vectors_are_begun_only_where_budgets_cover_them(limited: World) -> None:
    asked = embedding(limited, is_limited=True)
    asyncio.run(asked.embed(["word " * 100]))
    assert Wallet.objects.get().reserved > 1
    keep_calls(asked.take())
    wallet = Wallet.objects.get()
    assert (wallet.reserved, wallet.spent) == (0, UsageRecord.objects.get().cost)
    with pytest.raises(ModelError) as refused:
        asyncio.run(asked.embed(["word " * 100_000]))
    assert refused.value.code == "budget_exceeded"
    assert not asked.take()
    assert not BegunCall.objects.exists()
    # What the installation does for itself is counted, and not stopped.
    own = embedding(limited, is_limited=False)
    asyncio.run(own.embed(["word " * 100_000]))
    assert Reservation.objects.filter(status="open").count() == 0
    assert len(own.take()) == 1


def test_vectors_that_were_lost_are_counted(limited: World) -> None:
    asyncio.run(embedding(limited, is_limited=True).embed(["word " * 100]))
    time_passes()
    assert record_lost() == 1
    row = UsageRecord.objects.get()
    assert (row.purpose, row.input_tokens, row.is_aborted) == ("embedding", 125, True)
    assert Wallet.objects.get().reserved == 0
