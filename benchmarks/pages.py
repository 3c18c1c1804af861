"""``make bench-pages``: how long pages take, however long the thread or the list of threads is.

MESSAGES and THREADS (several numbers of rows), REQUESTS (measured ones of each page), SERVER,
PRIORITY (1: run before the machine's other programs, as root).
"""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Any

from benchmarks import options, processes
from benchmarks.http_client import HttpClient
from benchmarks.page_rows import analyse, long_thread, many_threads
from benchmarks.people import CSRF, Person, make_organisation
from benchmarks.stack import SERVERS, Stack, running_stack

WARM_UP = 10  # requests
# A page must not grow with what it does not show.
GROWTH = 2.0
SHOWN = 30  # rows on a page; smaller pages are not compared
OLDER = re.compile(r'(/chat/[^"]*?[?&]before=[^"]+)"')


@dataclass(frozen=True, slots=True)
class Page:
    """What is asked for, by whom, and how much lies behind it."""

    name: str
    rows: int
    person: Person
    path: str
    fragment: bool = False


@dataclass(slots=True)
class Seen:
    """Times in milliseconds."""

    page: Page
    times: list[float]
    size: int
    queries: int
    cpu_ms: float

    def figures(self) -> dict[str, Any]:
        return {
            "page": self.page.name,
            "rows": self.page.rows,
            "p50_ms": options.percentile(self.times, 0.5),
            "p99_ms": options.percentile(self.times, 0.99),
            "bytes": self.size,
            "queries": self.queries,
            "web_cpu_ms": self.cpu_ms,
        }


def make_pages(messages: list[int], threads: list[int]) -> list[Page]:
    """The rows, and the addresses that show them."""
    organisation = make_organisation("pages")
    pages: list[Page] = []
    for count in messages:
        options.say(f"Writing a thread of {count:,} messages ...")
        room = long_thread(organisation, count)
        person, path = room.people[0], f"/chat/{room.thread_id}/"
        pages.append(Page("thread", count, person, path))
        if older := OLDER.search(_ask(person, path)[0]):
            address = older[1].replace("&amp;", "&")
            pages.append(Page("scrolling up", count, person, address, fragment=True))
    for count in threads:
        options.say(f"Writing a list of {count:,} threads ...")
        person = many_threads(organisation, count)
        pages.append(Page("home with list", count, person, "/chat/"))
        pages.append(Page("list", count, person, "/chat/sidebar/", fragment=True))
        search = "/chat/sidebar/?q=subject+42"
        pages.append(Page("search in list", count, person, search, fragment=True))
    analyse()
    return pages


def _ask(person: Person, path: str, *, fragment: bool = False) -> tuple[str, int]:
    """The page in this process: its text and its number of SQL statements."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(HTTP_HOST="127.0.0.1")
    client.cookies.load({"sessionid": person.session, "csrftoken": CSRF})
    headers = {"HX-Request": "true"} if fragment else {}
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path, headers=headers)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} was answered with {answer.status_code}")
    return answer.content.decode(), len(captured)


async def measure(stack: Stack, page: Page, requests: int, queries: int) -> Seen:
    """One request after the other over one connection."""
    client = HttpClient(stack.host, page.person)
    times: list[float] = []
    size, pid = 0, stack.web.pid if stack.web else 0
    spent = 0.0
    for number in range(WARM_UP + requests):
        if number == WARM_UP:
            spent = processes.cpu_seconds(pid)
        begun = time.perf_counter()
        answer = await client.get(page.path, fragment=page.fragment)
        if answer.status != 200:
            raise RuntimeError(f"{page.path} was answered with {answer.status}")
        if number >= WARM_UP:
            times.append((time.perf_counter() - begun) * 1000)
            size = len(answer.body)
    client.close()
    cpu = (processes.cpu_seconds(pid) - spent) * 1000 / requests
    return Seen(page, times, size, queries, cpu)


def show(seen: list[Seen], server: str, others: float) -> None:
    """The table, whether pages stay as quick as they began, and the line of JSON."""
    rows = [list(one.figures().values()) for one in seen]
    head = ["page", "rows", "p50 ms", "p99 ms", "bytes", "SQL", "web CPU ms"]
    options.say("")
    options.say(options.table(head, rows))
    grown: dict[str, bool] = {}
    for name in dict.fromkeys(one.page.name for one in seen):
        sizes = [one.figures() for one in seen if one.page.name == name]
        full = [one for one in sizes if one["rows"] > SHOWN] or sizes
        times = full[-1]["p50_ms"] / full[0]["p50_ms"]
        same = len({one["queries"] for one in full}) == 1
        grown[name] = times < GROWTH and same
        word = "met    " if grown[name] else "NOT MET"
        options.say(
            f"{word}  {name}: {times:.2f} times as long with {full[-1]['rows']:,} rows "
            f"as with {full[0]['rows']:,}"
        )
    options.say(f"Other programs kept {others:.1f} cores busy meanwhile.")
    options.finish(
        {
            "bench": "pages",
            "server": server,
            "pages": [one.figures() for one in seen],
            "other_programs_cores": others,
            "targets": {f"{name} does not grow": met for name, met in grown.items()},
        }
    )


def main() -> None:
    messages = options.numbers("MESSAGES", "10 1000 100000", most=10_000_000)
    threads = options.numbers("THREADS", "10 1000 10000", most=1_000_000)
    requests = options.number("REQUESTS", 60, most=10_000)
    server = options.choice("SERVER", "daphne", SERVERS)
    options.say("Starting Postgres and Redis ...")
    seen: list[Seen] = []
    with running_stack([]) as stack:
        pages = make_pages(messages, threads)
        counts = [_ask(page.person, page.path, fragment=page.fragment)[1] for page in pages]
        stack.start_application(server)
        machine = processes.MachineLoad()
        ours = -sum(stack.cpu().values()) - time.process_time()
        begun = time.monotonic()
        with processes.placed(stack.load_core, first=stack.first):
            for page, queries in zip(pages, counts, strict=True):
                seen.append(asyncio.run(measure(stack, page, requests, queries)))
                options.say(f"  {page.name}, {page.rows:,} rows: {seen[-1].cpu_ms:.0f} ms CPU")
        ours += sum(stack.cpu().values()) + time.process_time()
        others = max(machine.cores() - ours / (time.monotonic() - begun), 0.0)
    show(seen, server, others)


if __name__ == "__main__":
    main()
