"""The worker's loop with a scripted model, real Postgres and real Redis."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import override_settings

from agents_app.providers.errors import ModelError
from agents_app.providers.registry import use_model
from agents_app.providers.scripted import ScriptedModel, ScriptedStep
from chat_app.live import records
from chat_app.models import Message, Turn, TurnStatus
from chat_app.services.conversation import continue_thread
from chat_app.services.stopping import stop_turn
from chat_app.worker.answerer import answer_here
from one_project.accounts.models import Event
from one_project.workflows.models import WorkItem
from one_project.workflows.worker.engine import Engine
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)

DEADLINE = 15.0


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll the truth (Postgres) until it holds; fails after DEADLINE."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


@contextmanager
def running_engine(model: ScriptedModel) -> Iterator[Engine]:
    answer_here()
    engine = Engine()
    with use_model(model):
        engine.start()
        try:
            yield engine
        finally:
            engine.stop()


class Gate:
    """Holds a scripted answer in the middle until the test opens it, from another thread."""

    def __init__(self) -> None:
        self.reached = False
        self._release: Callable[[], object] = lambda: None

    async def __call__(self) -> None:
        opened, loop = asyncio.Event(), asyncio.get_running_loop()
        self._release = lambda: loop.call_soon_threadsafe(opened.set)
        self.reached = True
        await opened.wait()

    def open(self) -> None:
        self._release()


def ask(world: World, text: str = "question") -> Turn:
    return continue_thread(world.thread(), user=world.alice, message=text)


def ended(turn: Turn) -> Callable[[], bool]:
    return lambda: not Turn.objects.open().filter(pk=turn.pk).exists()


def message_of(turn: Turn) -> Message:
    return Message.objects.get(pk=turn.message_id)


class Listener:
    """What viewers of a thread are sent."""

    def __init__(self, thread_id: UUID) -> None:
        self._pubsub = redis.Redis.from_url(settings.REDIS_URL).pubsub()
        self._pubsub.subscribe(records.thread_channel(thread_id))
        assert self._pubsub.get_message(timeout=5)
        self.records: list[tuple[list[str], str]] = []

    def take_all(self) -> list[tuple[list[str], str]]:
        while message := self._pubsub.get_message(timeout=0.3):
            for record in message["data"].split(records.SEPARATOR):
                header, _, body = record.decode().partition("\n")
                self.records.append((header.split(), body))
        return self.records

    def close(self) -> None:
        self._pubsub.close()
        self._pubsub.connection_pool.disconnect()


def test_an_answer_is_streamed_and_stored(committed_world: World) -> None:
    gate = Gate()
    with running_engine(ScriptedModel([["Hel", "lo", gate, " **world**"]])):
        thread = committed_world.thread()
        listener = Listener(thread.pk)
        turn = continue_thread(thread, user=committed_world.alice, message="question")
        wait_until(lambda: gate.reached)
        streamed = [record for record in listener.take_all() if record[0][0] != "s"]
        gate.open()
        wait_until(ended(turn))
        durable = [record for record in listener.take_all() if record[0][0] == "s"]
        listener.close()
    message = message_of(turn)
    assert (message.text, message.status, message.finish_reason) == (
        "Hello **world**", "success", "stop",
    )  # fmt: skip
    assert (message.provider, message.model) == ("scripted", "scripted")
    assert message.usage is not None
    header, body = streamed[0]
    assert header == ["r", "0-1", "1", "1"]
    assert "Hel" in body
    numbers = [int(header[3]) for header, _ in streamed]
    assert numbers == list(range(1, len(numbers) + 1))
    assert int(durable[-1][0][1]) == Message.objects.get(pk=message.pk).seq


def test_the_sweep_finds_a_turn_whose_ring_was_lost(
    committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("one_project.workflows.bell.ring", lambda: None)
    with running_engine(ScriptedModel(["found it"])):
        turn = ask(committed_world)
        wait_until(ended(turn))
    assert message_of(turn).text == "found it"


def test_many_turns_share_one_process(committed_world: World) -> None:
    world = committed_world
    model = ScriptedModel([["one ", "two ", "three"]] * 20, chunk_delay=0.02)
    with running_engine(model):
        turns = [ask(world) for _ in range(20)]
        wait_until(lambda: not Turn.objects.open().exists())
    assert {message_of(turn).text for turn in turns} == {"one two three"}


def test_stop_ends_the_model_call_and_keeps_the_text(committed_world: World) -> None:
    gate, model = Gate(), ScriptedModel()
    model.enqueue(["half ", gate, "never"])
    with running_engine(model):
        turn = ask(committed_world)
        wait_until(lambda: gate.reached)
        begun = time.monotonic()
        stop_turn(turn.thread, turn.pk)
        wait_until(ended(turn))
        assert time.monotonic() - begun < DEADLINE / 3
    message = message_of(turn)
    assert model.closed == 1
    assert (message.text, message.status, message.is_stopped) == ("half ", "success", True)
    assert Turn.objects.get(pk=turn.pk).status == TurnStatus.STOPPED


def test_stop_before_the_first_token(committed_world: World) -> None:
    gate = Gate()
    with running_engine(ScriptedModel([[gate, "never"]])):
        turn = ask(committed_world)
        wait_until(lambda: gate.reached)
        stop_turn(turn.thread, turn.pk)
        wait_until(ended(turn))
    assert (message_of(turn).text, message_of(turn).is_stopped) == ("", True)


def test_a_stop_without_redis_is_seen_when_the_lease_is_renewed(
    committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "one_project.workflows.services.work.tell_to_stop_on_commit", lambda work_id: None
    )
    gate = Gate()
    with (
        override_settings(ONE_CHECKPOINT_EVERY=0.05),
        running_engine(ScriptedModel([["half", gate]])),
    ):
        turn = ask(committed_world)
        wait_until(lambda: gate.reached)
        stop_turn(turn.thread, turn.pk)
        wait_until(ended(turn))
    assert message_of(turn).is_stopped


def test_transient_errors_are_asked_again_and_the_answer_is_not_doubled(
    committed_world: World,
) -> None:
    model = ScriptedModel(
        [
            ModelError("rate_limited", retry_after=0.01),
            ScriptedStep(["half an "], fail=ModelError("connection")),
            "whole answer",
        ]
    )
    with running_engine(model):
        turn = ask(committed_world)
        wait_until(ended(turn))
    assert message_of(turn).text == "whole answer"
    assert len(model.requests) == 3


def test_retries_end_and_the_person_is_told_what_the_log_knows(committed_world: World) -> None:
    model = ScriptedModel([ModelError("overloaded", detail="secret detail")] * 4)
    with running_engine(model):
        turn = ask(committed_world)
        wait_until(ended(turn))
    message, event = message_of(turn), Event.objects.get(kind="agent_error")
    assert (message.status, message.error_code) == ("failed", "overloaded")
    assert "try again" in message.error
    assert "secret detail" not in message.error
    assert "secret detail" in event.data["error"]


@pytest.mark.parametrize("code", ["auth", "bad_request", "context_too_long", "not_found"])
def test_other_errors_fail_at_once(committed_world: World, code: str) -> None:
    model = ScriptedModel([ModelError(code)])  # type: ignore[arg-type]
    with running_engine(model):
        turn = ask(committed_world)
        wait_until(ended(turn))
    assert (message_of(turn).error_code, len(model.requests)) == (code, 1)


def test_an_error_nobody_thought_of_still_ends_the_turn(committed_world: World) -> None:
    with running_engine(ScriptedModel([["half "], RuntimeError("surprise")])):
        model_turns = [ask(committed_world), ask(committed_world)]
        wait_until(lambda: not Turn.objects.open().exists())
    assert sorted(message_of(turn).status for turn in model_turns) == ["failed", "success"]


@pytest.mark.parametrize(
    ("setting", "items"),
    [("ONE_TURN_FIRST_TOKEN_TIMEOUT", []), ("ONE_TURN_IDLE_TIMEOUT", ["half "])],
)
def test_a_silent_model_is_given_up(committed_world: World, setting: str, items: list[str]) -> None:
    with (
        override_settings(**{setting: 0.1}),
        running_engine(ScriptedModel([[*items, Gate()]])),
    ):
        turn = ask(committed_world)
        wait_until(ended(turn))
    message = message_of(turn)
    assert (message.status, message.error_code) == ("failed", "timeout")
    assert message.text == "".join(items)


def test_a_worker_that_stops_gives_its_turn_to_the_next_one(committed_world: World) -> None:
    gate = Gate()
    with running_engine(ScriptedModel([["half ", gate]])):
        turn = ask(committed_world)
        wait_until(lambda: gate.reached)
    assert WorkItem.objects.get(turn=turn).status == "ready"
    with running_engine(ScriptedModel(["whole"])):
        wait_until(ended(turn))
    assert (message_of(turn).text, message_of(turn).status) == ("whole", "success")


def test_a_worker_whose_lease_was_taken_ends_its_call_and_writes_nothing(
    committed_world: World,
) -> None:
    gate, model = Gate(), ScriptedModel()
    model.enqueue(["old ", gate, "text"])
    with running_engine(model):
        turn = ask(committed_world)
        wait_until(lambda: gate.reached)
        WorkItem.objects.filter(turn=turn).update(token=uuid4())
        wait_until(lambda: model.closed == 1)
    turn.refresh_from_db()
    assert (turn.status, message_of(turn).status) == (TurnStatus.RUNNING, "pending")


def test_the_partial_answer_is_stored_while_it_grows(committed_world: World) -> None:
    gate = Gate()
    with (
        override_settings(ONE_CHECKPOINT_EVERY=0.05),
        running_engine(ScriptedModel([["first words", gate]])),
    ):
        turn = ask(committed_world)
        wait_until(lambda: Turn.objects.get(pk=turn.pk).partial == "first words")
        stored = Turn.objects.get(pk=turn.pk)
        assert stored.partial_seq >= 1
        assert stored.first_token_at is not None
        wait_until(lambda: gate.reached)
        gate.open()
        wait_until(ended(turn))
    assert Turn.objects.get(pk=turn.pk).partial == ""


def test_no_connection_is_held_while_the_model_speaks(committed_world: World) -> None:
    gate = Gate()
    with running_engine(ScriptedModel([["words", gate]])):
        turn = ask(committed_world)
        wait_until(lambda: gate.reached)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            )
            assert cursor.fetchone() == (0,)
        gate.open()
        wait_until(ended(turn))
