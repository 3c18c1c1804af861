"""What rows and effects say when all is over."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import DatabaseError, connection

from agents_app.models import CallStatus, Effect, ToolCall
from benchmarks.tools_effects import Effects
from benchmarks.trial_tools_people import Asked
from chat_app.models import Message, MessageKind, Turn, TurnStatus


@dataclass(slots=True)
class Verdict:
    """Counts. ``problems`` and ``unknowns`` say in words what was counted."""

    turns: int = 0
    calls: int = 0
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    unknown: int = 0
    unknown_not_allowed: int = 0
    never_accepted: int = 0
    failed_turns: int = 0
    failed_calls: int = 0
    effects: int = 0
    reads_repeated: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    unknowns: list[str] = field(default_factory=list)

    def missing(self, what: str) -> None:
        self.lost += 1
        self.problems.append(f"lost: {what}")

    def twice(self, what: str) -> None:
        self.doubled += 1
        self.problems.append(f"doubled: {what}")

    def hangs(self, what: str) -> None:
        self.stuck += 1
        self.problems.append(f"stuck: {what}")


def wait_until_quiet(patience: float, tend: Callable[[], None]) -> float:
    """Wait until no turn and no call is open, ``tend``ing meanwhile; returns the seconds."""
    began = time.monotonic()
    while time.monotonic() < began + patience:
        tend()
        try:
            if not Turn.objects.open().exists() and not ToolCall.objects.open().exists():
                break
        except DatabaseError:
            pass
        finally:
            connection.close()
        time.sleep(0.25)
    return time.monotonic() - began


def judge(asked: list[Asked], effects: Effects) -> Verdict:
    """Compare what was asked, what is recorded and what has happened."""
    verdict = Verdict()
    calls = list(ToolCall.objects.order_by("created_at"))
    turns = {turn.pk: turn for turn in Turn.objects.select_related("thread")}
    rows = _rows()
    for call in calls:
        _judge_call(verdict, call, effects, rows)
    verdict.effects = effects.of_call.total()
    known = {str(call.pk) for call in calls}
    for stranger in set(effects.of_call) - known:
        verdict.twice(f"an effect of no call: {stranger}")
    for key, times in rows.items():
        if times > 1:
            verdict.twice(f"{times} rows for {key}")
    answers = _answers()
    for turn in turns.values():
        _judge_turn(verdict, turn, answers[turn.pk])
    _judge_results(verdict, calls)
    _judge_questions(verdict, asked)
    verdict.turns, verdict.calls = len(turns), len(calls)
    return verdict


def _judge_call(verdict: Verdict, call: ToolCall, effects: Effects, rows: Counter[str]) -> None:
    verdict.by_status[call.status] += 1
    name = f"{call.name} {call.arguments} ({call.status} {call.error_code})"
    if call.is_open:
        verdict.hangs(name)
        return
    happened = effects.of_call[str(call.pk)]
    succeeded = call.status == CallStatus.SUCCEEDED
    if happened > 1:
        verdict.twice(name)
    if call.status == CallStatus.UNKNOWN:
        verdict.unknown += 1
        verdict.unknowns.append(f"{name}: happened {happened} times")
        if call.effect != Effect.EXTERNAL:
            verdict.unknown_not_allowed += 1
        return
    verdict.failed_calls += call.status == CallStatus.FAILED
    if call.name == "trial_write":
        happened = rows[call.arguments["key"]]
    if call.name == "trial_write" or call.effect == Effect.EXTERNAL:
        if succeeded != bool(happened):
            verdict.missing(f"{'the effect' if succeeded else 'the record of an effect'} of {name}")
    else:
        _judge_answer(verdict, call, effects, name)


def _judge_answer(verdict: Verdict, call: ToolCall, effects: Effects, name: str) -> None:
    succeeded = call.status == CallStatus.SUCCEEDED
    if call.name == "trial_read":
        read = effects.reads[str(call.pk)]
        verdict.reads_repeated += max(0, read - 1)
        if succeeded and not read:
            verdict.missing(name)
    elif call.name == "delegate_to_agent" and succeeded:
        key = call.arguments["task"].split()[1]
        if (call.output or {}).get("answer") != f"done {key}":
            verdict.missing(f"the answer of {name}")


def _judge_turn(verdict: Verdict, turn: Turn, answers: list[str]) -> None:
    name = f"turn {turn.pk} ({turn.status} {turn.error_code})"
    if turn.is_open:
        verdict.hangs(name)
    elif turn.status == TurnStatus.FAILED:
        verdict.failed_turns += 1
        if turn.error_code != "worker_lost":
            verdict.missing(f"{name}: {turn.error[:200]}")
    elif turn.status == TurnStatus.SUCCESS:
        done = [text for text in answers if text.startswith("done ")]
        if not done:
            verdict.missing(f"the answer of {name}")
        if len(done) > 1:
            verdict.twice(f"the answer of {name}")
    else:
        verdict.missing(name)


def _judge_results(verdict: Verdict, calls: list[ToolCall]) -> None:
    """Every call that has ended, and was not replaced, has told the model one result."""
    replaced = {call.replaces_id for call in calls if call.replaces_id}
    told: dict[object, list[str]] = {
        row.pk: [part.call_id for part in row.parts if hasattr(part, "call_id")]
        for row in Message.objects.filter(kind=MessageKind.TOOL)
    }
    for call in calls:
        if call.is_open or call.pk in replaced:
            continue
        times = told.get(call.message_id, []).count(call.call_id)
        if times == 0:
            verdict.missing(f"the result of {call.name} {call.arguments}")
        elif times > 1:
            verdict.twice(f"the result of {call.name} {call.arguments}")


def _judge_questions(verdict: Verdict, asked: list[Asked]) -> None:
    stored = Counter(Message.objects.exclude(client_key=None).values_list("client_key", flat=True))
    turns = Counter(Turn.objects.exclude(client_key=None).values_list("client_key", flat=True))
    for one in asked:
        if not one.accepted:
            verdict.never_accepted += 1
        elif not stored[one.key] or not turns[one.key]:
            verdict.missing(one.text)
        elif stored[one.key] > 1 or turns[one.key] > 1:
            verdict.twice(one.text)


def _answers() -> dict[object, list[str]]:
    found: dict[object, list[str]] = defaultdict(list)
    for turn_id, text in Message.objects.filter(kind=MessageKind.AGENT).values_list(
        "turn_id", "text"
    ):
        found[turn_id].append(text)
    return found


def _rows() -> Counter[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, count(*) FROM benchmark_rows GROUP BY name")
        return Counter(dict(cursor.fetchall()))
