"""A worker that dies between model, tool and record: nothing twice, nothing lost in silence."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from agents_app.models import CallStatus, ToolCall
from agents_app.providers.scripted import ScriptedModel
from agents_app.runtime.tool_use import ToolOutcome
from agents_app.services import running_tools
from agents_app.services.approvals import approve_call
from agents_app.services.running_tools import tool_call_over
from agents_app.services.tool_calls import begin_call, settle_call
from agents_app.tools import definitions
from agents_app.tools.definitions import define
from billing_app.models import BegunCall, UsageRecord
from billing_app.services.begun_calls import LOST_AFTER, record_lost
from chat_app.models import Turn, TurnStatus
from chat_app.services.stopping import stop_turn
from one_project.workflows.models import WorkItem
from one_project.workflows.services.claims import claim
from one_project.workflows.services.sweeping import sweep
from one_project.workflows.types import Result
from tests.chat.crashing_worker import CrashingWorkers, follows
from tests.chat.proposing import proposed, run, starts, state, told
from tests.chat.test_engine import Gate, ask, ended, running_engine, wait_until
from tests.chat.tools import Note, call, calls_of, effects, give_tools, registered_tools
from tests.people import World

EVENTS = {"look_up": "looked_up", "write_down": "written_down", "send_out": "sent_out"}
# By the point at which the worker dies: how often each tool has its effect, and what its call is.
AFTERWARDS = {
    "model_answered": {"look_up": 1, "write_down": 1, "send_out": 1},
    "tool_begun": {"look_up": 1, "write_down": 1, "send_out": 0},
    "tool_effect_done": {"look_up": 2, "write_down": 1, "send_out": 1},
}


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with registered_tools():
        yield


@pytest.fixture(scope="module")
def workers(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CrashingWorkers]:
    wanted = connection.settings_dict
    url = (
        f"postgres://{wanted['USER']}:{wanted['PASSWORD']}@{wanted['HOST']}:{wanted['PORT']}"
        f"/{wanted['NAME']}"
    )
    log = tmp_path_factory.mktemp("workers") / "errors.log"
    made = CrashingWorkers({**os.environ, "DATABASE_URL": url}, log)
    yield made
    made.close()


def dies(workers: CrashingWorkers, tool: str, point: str) -> None:
    """Run a worker until it has killed itself at the point."""
    assert workers.run(tool, point) == -signal.SIGKILL, workers.said()


def leases_end() -> None:
    """Whoever held something has been silent for too long."""
    past = timezone.now() - timedelta(seconds=1)
    WorkItem.objects.filter(status="running").update(poke_at=past)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("tool", list(EVENTS))
@pytest.mark.parametrize("point", list(AFTERWARDS))
def test_a_worker_that_dies_repeats_nothing_that_does_harm(
    committed_world: World, workers: CrashingWorkers, point: str, tool: str
) -> None:
    give_tools(committed_world, tool, approvals={tool: "never"})
    turn = ask(committed_world)
    dies(workers, tool, point)
    leases_end()
    with running_engine(follows(tool)):
        wait_until(ended(turn))
    turn.refresh_from_db()
    assert (turn.status, turn.message.text) == (TurnStatus.SUCCESS, "Done.")
    [made] = calls_of(turn)
    is_unknown = tool == "send_out" and point != "model_answered"
    assert made.status == (CallStatus.UNKNOWN if is_unknown else CallStatus.SUCCEEDED)
    assert effects(EVENTS[tool]) == AFTERWARDS[point][tool]
    if is_unknown:
        assert "not known" in told(turn)[0][1]
    # The answer that died with its worker is paid for, too.
    is_lost = point == "model_answered"
    assert BegunCall.objects.count() == is_lost
    BegunCall.objects.update(seen_at=timezone.now() - LOST_AFTER - timedelta(minutes=1))
    assert (record_lost(), record_lost()) == (is_lost, 0)
    calls = UsageRecord.objects.filter(turn_id=turn.pk)
    assert [each.input_tokens > 0 for each in calls.filter(is_aborted=True)] == [True] * is_lost
    assert calls.count() == 2 + is_lost


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_between_approval_and_execution(
    committed_world: World, workers: CrashingWorkers
) -> None:
    give_tools(committed_world, "send_out")
    with running_engine(follows("send_out")):
        turn = ask(committed_world)
        wait_until(lambda: ToolCall.objects.awaiting_approval().exists())
    approve_call(ToolCall.objects.get(), by=committed_world.alice)
    dies(workers, "send_out", "tool_begun")
    leases_end()
    with running_engine(follows("send_out")):
        wait_until(ended(turn))
    assert (effects("sent_out"), ToolCall.objects.get().status) == (0, CallStatus.UNKNOWN)


# --- By hand: each moment at which a worker may be lost -----------------------------------------


def take() -> WorkItem:
    """A worker claims the call that is ready."""
    [claimed] = claim(
        running_tools.POOL, worker="lost", room=10, known=["agents_app.run_tool_call"]
    )
    return WorkItem.objects.get(pk=claimed.id)


def lose() -> None:
    leases_end()
    sweep()


@pytest.mark.django_db
def test_an_allowed_call_nobody_has_begun_is_given_to_another_worker(world: World) -> None:
    give_tools(world, "send_out")
    turn, [asked] = proposed(world, call("send_out", key="1"))
    approve_call(asked, by=world.alice)
    take()
    lose()
    assert starts(asked), "nothing has happened yet, so it is no reason to give up"
    run(asked, "sent")
    assert told(turn) == [("1", "sent", False)]


@pytest.mark.django_db
def test_a_call_that_fells_every_worker_before_it_begins_ends(world: World) -> None:
    give_tools(world, "send_out")
    turn, [asked] = proposed(world, call("send_out", key="1"))
    approve_call(asked, by=world.alice)
    for _ in range(running_tools.MAX_STARTS):
        take()
        lose()
    assert (state(asked), starts(asked)) == (CallStatus.FAILED, False)
    turn.refresh_from_db()
    assert turn.status == TurnStatus.QUEUED


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tool", "after"),
    [
        ("look_up", CallStatus.FAILED),
        ("write_down", CallStatus.FAILED),
        ("send_out", CallStatus.UNKNOWN),
    ],
)
@pytest.mark.parametrize("result", ["WorkerLost", "OperationalError", "canceled"])
def test_only_what_may_have_acted_is_unknown(
    world: World, tool: str, after: str, result: str
) -> None:
    give_tools(world, tool, approvals={tool: "never"})
    _, [made] = proposed(world, call(tool, key="1"))
    assert begin_call(made.pk, again=False)
    work = ToolCall.objects.get(pk=made.pk).work_id
    assert work is not None
    kind = "canceled" if result == "canceled" else "error"
    tool_call_over(Result(kind=kind, id=work, error_kind=result), {"call": str(made.pk)})
    if result == "canceled" and after != CallStatus.UNKNOWN:
        after = CallStatus.CANCELED
    assert state(made) == after


@pytest.mark.django_db
def test_a_worker_that_was_only_slow_records_nothing_any_more(world: World) -> None:
    give_tools(world, "send_out")
    _, [asked] = proposed(world, call("send_out", key="1"))
    approve_call(asked, by=world.alice)
    take()
    begun = begin_call(asked.pk, again=False)
    assert begun is not None
    lose()
    assert state(asked) == CallStatus.UNKNOWN
    late = ToolOutcome(status=CallStatus.SUCCEEDED, output="late", told="late")
    assert settle_call(begun, late) is False
    assert state(asked) == CallStatus.UNKNOWN
    assert begin_call(asked.pk, again=True) is None, "and nobody tries again"


# --- Stopping -------------------------------------------------------------------------------------


class Held:
    """Tools that wait in the middle of their work, for a worker to be stopped there."""

    def __init__(self) -> None:
        self.gate = Gate()

    async def hold(self, arguments: Note) -> str:
        """Wait in the middle."""
        await self.gate()
        return "held"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("effect", "after"), [("external", CallStatus.UNKNOWN), ("read", CallStatus.CANCELED)]
)
def test_stopping_while_a_tool_runs(committed_world: World, effect: str, after: str) -> None:
    held = Held()
    definitions.register_tool(define(held.hold, name="hold", effect=effect))
    try:
        give_tools(committed_world, "hold", approvals={"hold": "never"})
        with running_engine(ScriptedModel([["Wait.", call("hold")]])):
            turn = ask(committed_world)
            wait_until(lambda: held.gate.reached)
            stop_turn(turn.thread, turn.pk)
            wait_until(ended(turn))
    finally:
        definitions._registry.pop("hold")
    turn.refresh_from_db()
    assert turn.status == TurnStatus.STOPPED
    assert ToolCall.objects.get().status == after


@pytest.mark.django_db
def test_stopping_while_it_waits_for_a_person_ends_it_at_once(world: World) -> None:
    give_tools(world, "send_out", "look_up")
    turn, calls = proposed(world, call("send_out", key="1"), call("look_up", key="2"))
    stop_turn(turn.thread, turn.pk)
    assert [state(one) for one in calls] == [CallStatus.CANCELED, CallStatus.CANCELED]
    assert not Turn.objects.open().exists()
    assert not claim(running_tools.POOL, worker="w", room=9, known=["agents_app.run_tool_call"])
