"""What is in the database and in the outside world after the trial, compared with what must be."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection

from benchmarks.workflow_rows import fetch

ROWS = ("child", "first", "last")  # of a run that succeeded


@dataclass(slots=True)
class Verdict:
    """Counts; ``failed`` are runs that ended with an error other than an unknown effect."""

    runs: int = 0
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    succeeded: int = 0
    unknown: int = 0
    unknown_handled: int = 0
    unknown_ended: int = 0
    failed: int = 0
    completions_missing: int = 0
    transactional_twice: int = 0
    transactional_missing: int = 0
    transactional_unrecorded: int = 0
    external: int = 0
    external_missing: int = 0
    external_repeated_at_least_once: int = 0
    external_repeated_at_most_once: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def is_bad(self) -> bool:
        return any(
            (
                self.lost,
                self.doubled,
                self.stuck,
                self.completions_missing,
                self.transactional_twice,
                self.transactional_missing,
                self.transactional_unrecorded,
                self.external_missing,
                self.external_repeated_at_most_once,
            )
        )


OPEN = """
    SELECT (SELECT count(*) FROM workflows_workflowrun WHERE finished_at IS NULL)
         + (SELECT count(*) FROM workflows_workitem
             WHERE status IN ('waiting', 'ready', 'running'))
         + (SELECT count(*) FROM workflows_workflowrun WHERE completion = 'pending')
"""


def wait_until_quiet(within: float, meanwhile: Callable[[], None]) -> float:
    """Return once nothing is open, or after ``within`` seconds; returns the seconds it took."""
    began = time.monotonic()
    while time.monotonic() - began < within:
        with suppress(DatabaseError):
            if not fetch(OPEN)[0][0]:
                break
        connection.close()
        meanwhile()
        time.sleep(0.2)
    return time.monotonic() - began


def judge(started: dict[int, UUID], effects: Path) -> Verdict:
    """``started``: the run of each number."""
    found = Verdict(runs=len(started))
    runs = {row[0]: row[1:] for row in fetch(_RUNS)}
    steps = fetch(_STEPS)
    rows = Counter(fetch("SELECT number, name FROM benchmark_rows"))
    unknown = {run for run, _, _, status, _, _ in steps if status == "unknown"}
    found.unknown = sum(status == "unknown" for _, _, _, status, _, _ in steps)
    for number, run_id in started.items():
        _judge_run(found, number, runs.get(run_id), rows, run_id in unknown)
    found.stuck = sum(run[0] in {"running", "paused"} for run in runs.values())
    found.stuck += int(fetch(_LEFT_OPEN)[0][0])
    numbered = Counter((run, n) for run, _, n, _, _, _ in steps)
    found.doubled += sum(count > 1 for count in numbered.values())
    # The same key must not have started two.
    found.doubled += max(0, len(runs) - len(started) - sum(run[2] for run in runs.values()))
    _judge_rows(found, rows)
    _judge_effects(found, steps, effects)
    return found


def _judge_rows(found: Verdict, rows: "Counter[tuple[Any, ...]]") -> None:
    """Every recorded transaction step has its row and every row its step, each once."""
    rows = Counter({key: count for key, count in rows.items() if key[1] != "ended"})
    recorded = Counter(fetch(_RECORDED))
    found.transactional_twice = sum(count > 1 for count in rows.values())
    found.transactional_unrecorded = ((rows - recorded) + (recorded - rows)).total()


_RECORDED = """
    SELECT (arguments->>'number')::int, arguments->>'name' FROM workflows_workitem
     WHERE kind = 'transaction' AND status = 'success'
"""
_LEFT_OPEN = """
    SELECT count(*) FROM workflows_workitem AS item JOIN workflows_workflowrun AS run
        ON run.id = item.run_id
     WHERE run.finished_at IS NOT NULL AND item.status IN ('waiting', 'ready', 'running')
"""
_RUNS = """
    SELECT id, status, coalesce(error->>'kind', '') || ': ' || coalesce(error->>'message', ''),
           (parent_step_id IS NOT NULL)::int, coalesce(result #>> '{}', '')
      FROM workflows_workflowrun
"""
_STEPS = "SELECT run_id, id, n, status, kind, name FROM workflows_workitem WHERE run_id IS NOT NULL"


def _judge_run(
    found: Verdict,
    number: int,
    run: tuple[Any, ...] | None,
    rows: "Counter[tuple[Any, ...]]",
    has_unknown: bool,
) -> None:
    if run is None:
        found.lost += 1
        return
    status, error, _, result = run
    if status in {"running", "paused"}:
        return  # stuck
    completions = rows[number, "ended"]
    found.completions_missing += completions == 0
    found.doubled += completions > 1
    if status == "success":
        found.succeeded += 1
        found.unknown_handled += result == "unknown"
        found.transactional_missing += sum(not rows[number, name] for name in ROWS)
    elif has_unknown:
        found.unknown_ended += 1
    else:
        found.failed += 1
        found.errors.append(f"run {number}: {status} {error[:200]}")


def _judge_effects(found: Verdict, steps: list[tuple[Any, ...]], effects: Path) -> None:
    lines = [line.split() for line in effects.read_text().splitlines()] if effects.exists() else []
    seen = Counter((key, mode) for key, mode, *_ in lines)
    found.external = len(lines)
    for (_, mode), count in seen.items():
        if mode == "least":
            found.external_repeated_at_least_once += count > 1
        else:
            found.external_repeated_at_most_once += count > 1
    happened = {key for key, _ in seen}
    found.external_missing = sum(
        kind == "action" and status == "success" and str(step_id) not in happened
        for _, step_id, _, status, kind, _ in steps
    )
