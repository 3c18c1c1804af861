"""How long something takes, in all and of it in SQL."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from benchmarks import options

T = TypeVar("T")
WARM_UP = 3


@dataclass(slots=True)
class Times:
    """Milliseconds of each call."""

    whole: list[float] = field(default_factory=list)
    sql: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float | None]:
        return {
            "sql_p50_ms": options.percentile(self.sql, 0.5),
            "sql_p99_ms": options.percentile(self.sql, 0.99),
            "p50_ms": options.percentile(self.whole, 0.5),
            "p99_ms": options.percentile(self.whole, 0.99),
        }


def timed(call: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> tuple[list[T], Times]:
    """What ``call`` returns for each, one after the other; the first few are also run before."""
    for one in arguments[:WARM_UP]:
        call(*one)
    found, times = [], Times()
    for one in arguments:
        begun = time.perf_counter()
        with _in_sql(times):
            found.append(call(*one))
        times.whole.append((time.perf_counter() - begun) * 1000)
    return found, times


@contextmanager
def _in_sql(times: Times) -> Iterator[None]:
    from django.db import connection

    spent = 0.0

    def run(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        nonlocal spent
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            spent += time.perf_counter() - begun

    with connection.execute_wrapper(run):
        yield
    times.sql.append(spent * 1000)
