"""The same work done by DBOS Transact: a process of its own, on the same Postgres, started by
``benchmarks.workflow_compared``. Its last line is a JSON object.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any

import psutil
import sqlalchemy
from dbos import DBOS, SQLAlchemyDatasource

from benchmarks import options

CHAIN, REPEATS, EMPTY_RUNS, STEPS_OF_MANY = 50, 5, 20, 5
WITHIN = 180.0  # seconds
FAR = 30 * 86_400.0

url = os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg://", 1)
DBOS(
    config={"name": "benchmark", "system_database_url": url, "log_level": "ERROR"}  # type: ignore[typeddict-item]
)
source = SQLAlchemyDatasource.create(url)
engine = sqlalchemy.create_engine(url)


@source.transaction(isolation_level="READ COMMITTED")
def row(number: int) -> int:
    source.sql_session().execute(
        sqlalchemy.text("INSERT INTO benchmark_rows (number, name) VALUES (:number, 'measured')"),
        {"number": number},
    )
    return number


@DBOS.step()
async def nothing(number: int) -> int:
    return number


@DBOS.workflow()
def empty() -> None:
    pass


@DBOS.workflow()
def rows_in_turn(count: int) -> int:
    for number in range(count):
        row(number)
    return count


@DBOS.workflow()
async def actions_in_turn(count: int) -> int:
    for number in range(count):
        await nothing(number)
    return count


@DBOS.workflow()
async def sleeps() -> None:
    await DBOS.sleep_async(FAR)


def last_end(ids: list[str]) -> float:
    """When all have succeeded: seconds since 1970 of the last end, as stored."""
    query = sqlalchemy.text(
        "SELECT count(*), max(updated_at) / 1000.0 FROM dbos.workflow_status"
        " WHERE status = 'SUCCESS' AND workflow_uuid = ANY(:ids)"
    )
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        with engine.connect() as connection:
            count, last = connection.execute(query, {"ids": ids}).one()
        if count == len(ids):
            return float(last)
        time.sleep(0.02 if len(ids) == 1 else 0.2)
    raise TimeoutError(f"{count} of {len(ids)} ended")


Begin = Callable[[], Coroutine[Any, Any, str]]


def sync_start(workflow: Callable[..., Any], *args: Any) -> Begin:
    async def begin() -> str:
        return (await asyncio.to_thread(DBOS.start_workflow, workflow, *args)).get_workflow_id()

    return begin


def async_start(workflow: Callable[..., Any], *args: Any) -> Begin:
    async def begin() -> str:
        return (await DBOS.start_workflow_async(workflow, *args)).get_workflow_id()

    return begin


async def one_by_one(begin: Begin, repeats: int, steps: int = 1) -> float:
    """Median milliseconds of a step, one run at a time."""
    times = []
    for _ in range(repeats):
        began = time.time()
        ended = await asyncio.to_thread(last_end, [await begin()])
        times.append(ended - began)
    return 1000 * float(options.percentile(times, 0.5) or 0.0) / steps


async def per_second(begin: Begin, runs: int) -> float:
    began = time.time()
    ids = [await begin() for _ in range(runs)]
    return runs / (await asyncio.to_thread(last_end, ids) - began)


async def sleeping(count: int) -> dict[str, float]:
    """What so many runs that sleep add to this process."""
    process = psutil.Process()
    rss, threads = process.memory_info().rss, process.num_threads()
    begin = async_start(sleeps)
    for _ in range(count):
        await begin()
    await asyncio.sleep(3.0)
    return {
        "runs": count,
        "rss_growth_mib": (process.memory_info().rss - rss) / 2**20,
        "new_threads": process.num_threads() - threads,
    }


async def measure(runs: int, asleep: int) -> dict[str, Any]:
    rows, actions = sync_start(rows_in_turn, CHAIN), async_start(actions_in_turn, CHAIN)
    await one_by_one(rows, 2)
    await one_by_one(actions, 2)
    return {
        "empty_ms": await one_by_one(sync_start(empty), EMPTY_RUNS),
        "transaction_step_ms": await one_by_one(rows, REPEATS, CHAIN),
        "action_step_ms": await one_by_one(actions, REPEATS, CHAIN),
        "transaction_runs_per_s": await per_second(sync_start(rows_in_turn, STEPS_OF_MANY), runs),
        "action_runs_per_s": await per_second(async_start(actions_in_turn, STEPS_OF_MANY), runs),
        "sleeping": await sleeping(asleep),
    }


def main() -> None:
    DBOS.launch()
    runs = options.number("RUNS", 400)
    found = asyncio.run(measure(runs, options.number("PEER_SLEEPING", 1000)))
    options.finish(found)
    os._exit(0)  # it would wait for those that sleep


if __name__ == "__main__":
    main()
