"""What is measured of billing: invoices, sums by day, pages, files, the check of the books."""

import http.client
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from benchmarks import options, processes
from benchmarks.billing import limits
from benchmarks.people import Person, sign_in
from benchmarks.stack import Stack

PIECE = 2**16
WARM_UP = 3


def beside(seconds: float, plain: float, **more: Any) -> dict[str, Any]:
    """Seconds, those of the plain aggregate, and their ratio."""
    return {"s": seconds, "plain_sql_s": plain, "ratio": seconds / plain, **more}


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = function()
    return time.perf_counter() - begun, result


def everything_rolled_up(first: date, last: date) -> dict[str, Any]:
    from billing_app.services.rolling_up import roll_up

    span = {
        name: datetime(one.year, one.month, one.day, tzinfo=UTC)
        for name, one in (("start", first), ("end", last))
    }
    plain = limits.seconds_of(limits.BY_AGENT, limits.BY_PERSON, **span)
    seconds, days = timed(lambda: roll_up(afresh=True))
    return beside(seconds, plain, days=days)


def one_day_rolled_up(organisations: list[Any], day: date) -> dict[str, Any]:
    """Every organisation gets one call of that day, so that all of them are summed up anew."""
    from billing_app.services.demo_usage.catalogue import CALLS
    from billing_app.services.demo_usage.tariffs import use_of
    from billing_app.services.rolling_up import roll_up
    from billing_app.services.usage import record_usage

    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for organisation in organisations:
        use = use_of(CALLS[0], start + timedelta(hours=12))
        record_usage([_of(use, organisation)])
    plain = limits.seconds_of(
        limits.BY_AGENT, limits.BY_PERSON, start=start, end=start + timedelta(days=1)
    )
    seconds, days = timed(roll_up)
    return beside(seconds, plain, days=days)


def _of(use: Any, organisation: Any) -> Any:
    from dataclasses import replace

    return replace(use, organisation_id=organisation.pk, input_tokens=100)


def month_run(month: date) -> dict[str, Any]:
    """All organisations, as the monthly job bills them; and this process' own memory."""
    from billing_app.services.invoicing import bill_period

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, run = timed(lambda: bill_period(month))
    if run.blocked or run.failed:
        raise RuntimeError(f"not everybody could be billed: {run}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    plain = limits.seconds_of(limits.MONTH, **limits.bounds_of(month))
    return beside(seconds, plain, invoices=run.invoices, more_memory_mib=grown)


def organisation_run(organisation: Any, month: date) -> dict[str, Any]:
    from billing_app.models import UsageRecord
    from billing_app.services.invoicing import bill_organisation

    bounds = limits.bounds_of(month)
    plain = limits.seconds_of(limits.ORGANISATION, organisation=organisation.pk, **bounds)
    seconds, made = timed(lambda: bill_organisation(organisation.pk, month))
    rows = UsageRecord.objects.filter(
        organisation=organisation,
        occurred_at__gte=bounds["start"],
        occurred_at__lt=bounds["end"],
    ).count()
    return beside(seconds, plain, invoices=len(made), rows=rows)


def other_months() -> dict[str, Any]:
    """What is due besides: all months of everybody that were not billed yet."""
    from billing_app.services.invoicing import bill_due

    seconds, run = timed(bill_due)
    if run.blocked or run.failed:
        raise RuntimeError(f"not everybody could be billed: {run}")
    return {"s": seconds, "months": run.months, "invoices": run.invoices}


def check_of_books() -> dict[str, Any]:
    from billing_app.services.reconciling import reconcile

    plain = limits.seconds_of(limits.ALL)
    seconds, kept = timed(reconcile)
    return beside(seconds, plain, is_ok=kept.is_ok, findings=kept.findings)


def owner_of(organisation: Any) -> Person:
    from one_project.accounts.models import Membership, Role

    owner = Membership.objects.get(organisation=organisation, role=Role.OWNER)
    return sign_in(owner.user)


def pages(stack: Stack, organisation: Any, month: date, requests: int) -> dict[str, Any]:
    """Real requests, one after the other over one connection."""
    person = owner_of(organisation)
    bounds = limits.bounds_of(month)
    plain = limits.seconds_of(limits.ORGANISATION, organisation=organisation.pk, **bounds)
    last = f"month={month:%Y-%m}"
    found: dict[str, Any] = {}
    for name, path in {
        "dashboard, this month": "/usage/?whose=organisation",
        "dashboard, last month": f"/usage/?whose=organisation&{last}",
        "own usage": "/usage/",
        "invoices": "/usage/invoices/",
    }.items():
        with _connection(stack, 60) as ask:
            for _ in range(WARM_UP):
                ask(person, path)
            asking = partial(ask, person, path)
            times = [timed(asking)[0] * 1000 for _ in range(requests)]
        found[name] = {
            "p50_ms": options.percentile(times, 0.5),
            "p95_ms": options.percentile(times, 0.95),
            "plain_sql_ms": plain * 1000,
        }
    return found


def export(stack: Stack, organisation: Any, month: date) -> dict[str, Any]:
    """All rows of a month as a file, and what it adds to the server's memory while it is sent."""
    person = owner_of(organisation)
    bounds = limits.bounds_of(month)
    plain = limits.seconds_of_copy(organisation.pk, bounds["start"], bounds["end"])
    path = f"/usage/records.csv?whose=organisation&month={month:%Y-%m}"
    assert stack.web is not None
    with _memory(stack.web.pid) as memory, _connection(stack, 600) as ask:
        seconds, (size, lines, first) = timed(lambda: ask(person, path))
    return beside(
        seconds,
        plain,
        rows=lines - 1,
        bytes=size,
        first_piece_s=first,
        server_rss_mib=memory[0],
        more_memory_mib=max(memory) - memory[0],
    )


@contextmanager
def _connection(
    stack: Stack, timeout: float
) -> Iterator[Callable[[Person, str], tuple[int, int, float]]]:
    """What asks for a path, reads to the end, and tells bytes, lines and seconds to the first."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.web_port, timeout=timeout)

    def ask(person: Person, path: str) -> tuple[int, int, float]:
        begun = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": person.cookie})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered with {answer.status}")
        size = lines = 0
        first = 0.0
        while piece := answer.read(PIECE):
            first = first or time.perf_counter() - begun
            size += len(piece)
            lines += piece.count(b"\n")
        return size, lines, first

    try:
        yield ask
    finally:
        connection.close()


@contextmanager
def _memory(pid: int) -> Iterator[list[float]]:
    """Resident MiB of a process, at first and every fifth of a second."""
    seen, over = [processes.rss_mib(pid)], threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            seen.append(processes.rss_mib(pid))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()
