"""What is measured of flows: pages, what a page asks for by itself, moves, assignments, CSV."""

import re
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import options
from benchmarks.flows.rows import Place, assign_role

WARM_UP = 2
HTMX = {"HX-Request": "true"}


class Watch:
    """Seconds of each call, and the CPU seconds of this process in all of them: on a machine where
    others are at work those say more. Postgres' share is not in them."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.cpu = 0.0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        begun, cpu = time.perf_counter(), time.process_time()
        yield
        self.times.append(time.perf_counter() - begun)
        self.cpu += time.process_time() - cpu

    def figures(self, **more: Any) -> dict[str, Any]:
        spent = [one * 1000 for one in self.times]
        return {
            "p50_ms": options.percentile(spent, 0.5),
            "p95_ms": options.percentile(spent, 0.95),
            "cpu_ms": self.cpu * 1000 / len(spent),
            **more,
        }


def client_of(place: Place) -> Any:
    from django.test import Client

    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(place.staff)
    return client


def ask(client: Any, path: str, **data: str) -> tuple[Any, int]:
    """The answer and its number of statements."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        answer = client.get(path, data, headers=HTMX if data else {})
    if answer.status_code >= 400:
        raise RuntimeError(f"{path} was answered with {answer.status_code}")
    return answer, len(seen)


def measure_page(place: Place, path: str, requests: int, **data: str) -> dict[str, Any]:
    """A page, or what a page asks for by itself, one request after the other, in this process."""
    client, watch = client_of(place), Watch()
    for _ in range(WARM_UP):
        client.get(path, data, headers=HTMX if data else {})
    answer, queries = ask(client, path, **data)
    for _ in range(requests):
        with watch():
            client.get(path, data, headers=HTMX if data else {}).getvalue()
    return watch.figures(queries=queries, bytes=len(answer.getvalue()))


def hidden(page: str) -> dict[str, str]:
    """What a page sends when it asks for changes."""
    names = ("query", "shown", "counts", "v")
    found = {name: re.search(rf'name="{name}" value="([^"]*)"', page) for name in names}
    return {name: hit[1].replace("&amp;", "&") for name, hit in found.items() if hit}


def measure_refresh(
    place: Place, page: str, part: str, move: Callable[[int], None], requests: int
) -> dict[str, Any]:
    """What follows each of several moves of one step."""
    client = client_of(place)
    known = hidden(client.get(page).content.decode())
    watch, size, queries = Watch(), 0, 0
    for number in range(requests):
        move(number)
        with watch():
            answer = client.get(part, known, headers=HTMX)
        if answer.status_code != 200:
            raise RuntimeError(f"{part} told nothing of a change")
        size, known = len(answer.content), hidden(answer.content.decode())
    move(requests)
    queries = ask(client, part, **known)[1]
    return watch.figures(queries=queries, bytes=size)


def mover(place: Place, target: Any, name: str) -> Callable[[int], None]:
    """Moves one step to and fro."""
    from flows_app.runtime.actors import Actor
    from flows_app.services.progress import update_flow_progress

    def move(number: int) -> None:
        to, by = ("In Progress", "Blocked")[number % 2], Actor(user=place.staff)
        update_flow_progress(target, name, to, by=by, reason="Again")

    return move


def measure_moves(place: Place, target: Any, name: str, requests: int) -> dict[str, Any]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    move, watch = mover(place, target, name), Watch()
    for number in range(requests):
        with watch():
            move(number)
    with CaptureQueriesContext(connection) as seen:
        move(requests)
    return watch.figures(queries=len(seen))


def measure_parallel(place: Place, target: Any, name: str, people: int = 50) -> dict[str, Any]:
    """So many say at once what one step is, each from the same page: one is first."""
    from django.db import connection

    from flows_app.errors import StaleProgress
    from flows_app.models import StepState
    from flows_app.runtime.actors import Actor
    from flows_app.services.progress import update_flow_progress

    known = StepState.objects.filter(target=target, step_key=target.step_of[name]).first()
    version = known.version if known else 0
    watch = Watch()
    cpu = time.process_time()
    outcomes: list[str] = []
    gate = threading.Barrier(people)

    def run() -> None:
        try:
            connection.ensure_connection()
            gate.wait()
            by, begun = Actor(user=place.staff), time.perf_counter()
            try:
                update_flow_progress(target, name, "Skipped", by=by, reason="x", version=version)
                outcomes.append("moved")
            except StaleProgress:
                outcomes.append("stale")
            watch.times.append(time.perf_counter() - begun)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(people)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    seqs = list(target.log.order_by("seq").values_list("seq", flat=True))
    watch.cpu = time.process_time() - cpu
    return watch.figures(
        moved=outcomes.count("moved"),
        stale=outcomes.count("stale"),
        log_without_gaps=seqs == list(range(1, len(seqs) + 1)),
    )


def measure_role(place: Place) -> dict[str, Any]:
    """Everybody of a role at once."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    begun = time.perf_counter()
    with CaptureQueriesContext(connection) as seen:
        targets = assign_role(place)
    return {
        "seconds": time.perf_counter() - begun,
        "queries": len(seen),
        "targets": len(targets),
    }


def measure_bulk(place: Place, rows: int) -> dict[str, Any]:
    """Rows by address: the preview, the request that stores them, and what a worker then does."""
    from flows_app.models import LessonTarget
    from flows_app.runtime.actors import Actor
    from flows_app.runtime.bulk_rows import BulkRow
    from flows_app.services.bulk import assign_lessons, assign_many

    name = place.organisation.name
    asked = [
        BulkRow(line=number + 2, email=f"{number:05}@{name}.test", flow=place.flow.name)
        for number in range(rows)
    ]
    by = Actor(user=place.staff)
    begun = time.perf_counter()
    preview = assign_lessons(place.organisation, asked, by=by, preview=True)
    previewed = time.perf_counter()
    result = assign_lessons(place.organisation, asked, by=by, request_id="bench")
    stored = time.perf_counter()
    if result.bulk is not None and not result.is_done:
        assign_many(result.bulk.pk)
    done = time.perf_counter()
    targets = LessonTarget.objects.filter(organisation=place.organisation).count()
    return {
        "preview_seconds": previewed - begun,
        "request_seconds": stored - previewed,
        "work_seconds": done - stored,
        "rows": rows,
        "previewed": preview.created,
        "targets": targets,
    }


def measure_csv(place: Place) -> dict[str, Any]:
    """The whole matrix as a file; how much more memory that took at its peak."""
    from flows_app.services.csv_export import export_matrix
    from flows_app.services.filtering import Wanted

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    size = first = 0
    for piece in export_matrix(place.flow, Wanted(), by=place.staff):
        first = first or time.perf_counter() - begun
        size += len(piece)
    return {
        "seconds": time.perf_counter() - begun,
        "first_piece_seconds": first,
        "bytes": size,
        "more_memory_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }
