"""The table of ``make bench-stream``, the targets, and the line of JSON."""

from collections.abc import Sequence
from typing import Any

from benchmarks.options import finish, percentile, say, table
from benchmarks.stream_run import Run

# docs: reference/streaming.md, section 7.
FLOOR_STREAMS = {"uvicorn": 250, "daphne": 120}
FLOOR_CPU = {"uvicorn": 80.0, "daphne": 120.0}
HEAD = (
    "run", "first p50", "p99", "lag p50", "p99", "refused", "lost", "wrong", "again", "streaming",
    "all CPU", "web", "worker", "redis", "pg", "payload x", "wire x", "writes/s", "web MiB",
    "worker", "app core", "load", "others",
)  # fmt: skip


def short(run: Run) -> str:
    """One line of progress."""
    lag = percentile(run.lags, 0.99)
    shown = f"{lag:.0f} ms" if lag is not None else "-"
    return (
        f"lag p99 {shown}, {run.per_thousand():.0f} ms CPU per 1,000 tokens, "
        f"{run.incomplete} incomplete, {run.wrong} wrong, {run.restarted} restarted"
    )


def show(runs: Sequence[Run], relays: Sequence[Run]) -> None:
    """Print everything; the last line is the JSON object."""
    say("")
    say(table(HEAD, [_row(run) for run in [*runs, *relays]]))
    say(
        "first, lag: ms added (first counts from the click, less the model's own delay); "
        "streaming: CPU ms per 1,000 tokens while all answers stream;\n"
        "all CPU: the same with asking and storing included; "
        "payload, wire: times the text of the answer;\n"
        "app core, load, others: cores kept busy by the application, by the load, by other "
        "programs.\n"
    )
    fan_out = [_fan_out(runs, server) for server in dict.fromkeys(run.server for run in runs)]
    ratios = _ratios(runs, relays)
    targets = _targets(runs, ratios, [found for found in fan_out if found])
    for name, (value, met) in targets.items():
        say(f"{'met    ' if met else 'NOT MET'}  {name}: {value}")
    finish(
        {
            "bench": "stream",
            "runs": [run.figures() for run in runs],
            "relay": [run.figures() for run in relays],
            "cpu_ratio_to_relay": ratios,
            "fan_out_ms_per_frame_viewer": {k: v for found in fan_out if found for k, v in [found]},
            "targets": {name: met for name, (_, met) in targets.items()},
        }
    )


def _row(run: Run) -> list[object]:
    seen: dict[str, Any] = run.figures()
    cpu = seen["cpu_ms_per_1000"]
    name = f"{run.server} {run.streams}" + (f" x {run.viewers}" if run.viewers > 1 else "")
    rss = seen["rss_mib"]
    return [
        name,
        *(seen[key] for key in ("first_added_p50_ms", "first_added_p99_ms", "lag_p50_ms")),
        seen["lag_p99_ms"],
        run.refused,
        run.incomplete,
        run.wrong,
        run.restarted,
        run.streaming,
        cpu["all"],
        *(cpu.get(group) for group in ("web", "worker", "redis", "postgres")),
        seen["payload_to_text"] if run.text_bytes else None,
        seen["wire_to_text"] if run.text_bytes else None,
        seen["checkpoints_per_turn_s"] if run.text_bytes else None,
        rss.get("web"),
        rss.get("worker"),
        seen["app_core_share"],
        seen["load_core_share"],
        seen["other_programs_cores"],
    ]


def _fan_out(runs: Sequence[Run], server: str) -> tuple[str, float] | None:
    """CPU ms of the web server for one frame to one more page of the same thread."""
    of_one = [run for run in runs if run.server == server and run.streams == 1]
    alone = next((run for run in of_one if run.viewers == 1), None)
    crowd = max(of_one, key=lambda run: run.viewers, default=None)
    if alone is None or crowd is None or crowd.viewers == 1 or crowd.frames <= alone.frames:
        return None
    spent = crowd.cpu["web"] - alone.cpu["web"]
    return server, spent * 1000 / (crowd.frames - alone.frames)


def _ratios(runs: Sequence[Run], relays: Sequence[Run]) -> dict[str, float]:
    """Our CPU while streaming as a multiple of the bare relay's, by server and size."""
    bare = {run.streams: run.streaming for run in relays}
    return {
        f"{run.server} {run.streams}": run.streaming / relayed
        for run in runs
        if run.viewers == 1 and run.streaming and (relayed := bare.get(run.streams))
    }


Targets = dict[str, tuple[str, bool]]


def _targets(
    runs: Sequence[Run], ratios: dict[str, float], fan_out: list[tuple[str, float]]
) -> Targets:
    found: Targets = {}
    for server in dict.fromkeys(run.server for run in runs):
        ours = [run for run in runs if run.server == server]
        single = [run for run in ours if run.viewers == 1]
        _speed_targets(found, server, single)
        _cost_targets(found, server, single, ratios)
        lost = sum(run.incomplete + run.wrong for run in ours)
        found[f"{server}: nothing lost, doubled or out of order"] = (f"{lost} pages", lost == 0)
    for server, cost in fan_out:
        found[f"{server}: fan-out under 0.15 ms a frame a viewer"] = (f"{cost:.3f}", cost < 0.15)
    return found


def _speed_targets(found: Targets, server: str, runs: Sequence[Run]) -> None:
    floor = FLOOR_STREAMS[server]
    good = [
        run.streams
        for run in runs
        if (percentile(run.lags, 0.99) or 1e9) < 100 and not run.incomplete + run.refused
    ]
    most = max(good, default=0)
    if any(run.streams >= floor for run in runs):
        name = f"{server}: {floor} streams with lag p99 under 100 ms"
        found[name] = (f"{most} of those tried", most >= floor)
    for run in runs:
        first = percentile(run.first, 0.5) or 1e9
        if run.streams == 1:
            found[f"{server}: first token alone under 30 ms"] = (f"{first:.0f} ms", first < 30)
        if run.streams == 50:
            lag = percentile(run.lags, 0.99) or 1e9
            found[f"{server}: lag p99 of 50 under 50 ms"] = (f"{lag:.0f} ms", lag < 50)
            name = f"{server}: first token of 50 in 2 s, p50 under 150 ms"
            found[name] = (f"{first:.0f} ms", first < 150)


def _cost_targets(
    found: Targets, server: str, runs: Sequence[Run], ratios: dict[str, float]
) -> None:
    """Costs are judged where streams share the process's wake-ups: 50 or more."""
    many = [run for run in runs if run.streams >= 50]
    if not many:
        return
    limit = FLOOR_CPU[server]
    cpu = max(run.streaming or run.per_thousand() for run in many)
    found[f"{server}: CPU under {limit:.0f} ms per 1,000 tokens"] = (f"{cpu:.0f} ms", cpu < limit)
    ratio = max(ratios.get(f"{server} {run.streams}", 0.0) for run in many)
    found[f"{server}: under 4 times the bare relay"] = (f"{ratio:.1f}", ratio < 4)
    seen = [run.figures() for run in many]
    payload = max(figures["payload_to_text"] for figures in seen)
    found[f"{server}: payload under 13 times the text"] = (f"{payload:.1f}", payload < 13)
    if any(run.deflated for run in many):
        wire = max(figures["wire_to_text"] for figures in seen)
        found[f"{server}: deflated under 3 times the text"] = (f"{wire:.1f}", wire < 3)
    writes = max(figures["checkpoints_per_turn_s"] for figures in seen)
    found[f"{server}: at most one write a second a turn"] = (f"{writes:.2f}", writes <= 1.05)
