"""How long runs stood still after something was killed."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from benchmarks import options
from benchmarks.workflow_kills import Strike
from benchmarks.workflow_rows import fetch

_ENDS = """
    SELECT id, extract(epoch FROM finished_at)::float8 FROM workflows_workitem
     WHERE finished_at IS NOT NULL ORDER BY finished_at
"""


def recoveries(strikes: list[Strike]) -> dict[str, Any]:
    """Seconds from a worker's death to the end of the steps it held, and (``by_process``) from any
    kill to the next end of any step.

    ``alone`` are those that nothing else hit meanwhile: no other worker or Postgres killed.
    """
    ends = dict(fetch(_ENDS))
    moments = list(ends.values())
    waits: list[float] = []
    alone: list[float] = []
    for place, strike in enumerate(strikes):
        mine = [ends[key] for key in strike.held if key in ends]
        waits += [end - strike.at for end in mine]
        others = strikes[:place] + strikes[place + 1 :]
        alone += [end - strike.at for end in mine if not _hit(others, strike.at, end)]
    return {
        "interrupted": len(waits),
        "recovery_p50_s": options.percentile(waits, 0.5),
        "recovery_p90_s": options.percentile(waits, 0.9),
        "recovery_max_s": max(waits, default=None),
        "recovery_alone": len(alone),
        "recovery_alone_p50_s": options.percentile(alone, 0.5),
        "recovery_alone_max_s": max(alone, default=None),
        "by_process": {
            name: _of_process([strike for strike in strikes if strike.name == name], moments)
            for name in dict.fromkeys(strike.name for strike in strikes)
        },
    }


def unknown_though_alive(strikes: list[Strike]) -> int:
    """Steps given up as unknown though nobody had killed their worker: its lease had lapsed, as it
    does while Postgres is away for longer, or it had lost what it had claimed."""
    deaths = {str(strike.pid): strike.at for strike in strikes if strike.pid}
    rows = fetch(
        "SELECT split_part(worker, ':', 2), extract(epoch FROM finished_at)::float8"
        "  FROM workflows_workitem WHERE status = 'unknown'"
    )
    return sum(deaths.get(pid, float("inf")) > end for pid, end in rows)


def _hit(others: Sequence[Strike], begin: float, end: float) -> bool:
    return any(
        other.at < end and other.at + other.away >= begin
        for other in others
        if other.name not in {"beat", "redis"}
    )


def _of_process(strikes: list[Strike], moments: list[float]) -> dict[str, Any]:
    following = []
    for strike in strikes:
        place = bisect_right(moments, strike.at)
        if place < len(moments):
            following.append(moments[place] - strike.at)
    away = [strike.away for strike in strikes if strike.away]
    return {
        "kills": len(strikes),
        "held": sum(len(strike.held) for strike in strikes),
        "away_p50_s": options.percentile(away, 0.5),
        "next_step_p50_s": options.percentile(following, 0.5),
        "next_step_max_s": max(following, default=None),
    }
