"""What a scraper of ``/metrics`` reads about durable work."""

from collections.abc import Callable, Iterator

from one_project.common.metrics import Figure
from one_project.workflows.services.pools import PoolReport, report
from one_project.workflows.services.reading import open_runs_by_state, runs_ended

POOL_FIGURES: dict[str, Callable[[PoolReport], float]] = {
    "one_work_backlog": lambda pool: pool.backlog,
    "one_work_oldest_seconds": lambda pool: pool.oldest_seconds,
    "one_work_running": lambda pool: pool.running,
    "one_work_waiting": lambda pool: pool.waiting,
    "one_work_completed_last_minute": lambda pool: pool.completed,
    "one_work_failed_last_minute": lambda pool: pool.failed + pool.unknown,
}


def figures() -> Iterator[Figure]:
    """Per pool what waits, runs and failed; the open runs by state, and how runs ended."""
    pools = report()
    for name, read in POOL_FIGURES.items():
        for pool in pools:
            yield Figure(name, read(pool), {"pool": pool.pool})
    for state, number in open_runs_by_state().items():
        yield Figure("one_workflow_runs", number, {"state": state})
    for state, number in runs_ended().items():
        yield Figure("one_workflow_runs_ended_last_minute", number, {"state": state})
