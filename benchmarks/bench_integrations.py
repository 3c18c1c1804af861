"""``make bench-integrations``: what sending costs.

The whole way with real workers and an HTTP service on loopback that takes everything at once:
queued → accepted one by one, and how many a second with one worker and with eight (MESSAGES of
them). In this process: statements of a delivery, choosing a way among 20 integrations, a
notification for a topic of PEOPLE, sealing and opening credentials, and the one door beside a bare
client, in pairs.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import options
from benchmarks.deliveries.nursery import Nursery
from benchmarks.deliveries.receivers import Received, receiving
from benchmarks.stack import running_stack

EIGHT = 8
ONE_BY_ONE = 80
WARM = 20
PAIRS = 150
WAYS = 20


@contextmanager
def counted() -> Iterator[list[int]]:
    """How many statements the block sends."""
    from django.db import connection

    count = [0]

    def count_one(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        count[0] += 1
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count_one):
        yield count


def one_by_one(received: Received) -> dict[str, Any]:
    """Milliseconds from the row to the provider's acceptance, with nothing else to do."""
    from benchmarks.deliveries.rows import make_integration, send, wait_until_settled
    from benchmarks.people import make_organisation
    from integrations_app.models import Delivery

    integration = make_integration(make_organisation("one"), received, "trial_http", "/fast")
    ids = []
    for number in range(WARM + ONE_BY_ONE):
        ids.append(send(integration, number).pk)
        time.sleep(0.05)
    wait_until_settled(ids, 60.0, lambda: None)
    ids = ids[WARM:]
    rows = Delivery.objects.filter(pk__in=ids, accepted_at__isnull=False)
    times = [(one.accepted_at - one.created_at).total_seconds() * 1000 for one in rows]
    return {
        "accepted_p50_ms": options.percentile(times, 0.5),
        "accepted_p95_ms": options.percentile(times, 0.95),
    }


def throughput(nursery: Nursery, received: Received, workers: int, messages: int) -> float:
    """Deliveries a second of eight organisations, all of them waiting when the workers begin."""
    from django.db.models import Max, Min

    from benchmarks.deliveries.rows import make_integration, send, wait_until_settled
    from benchmarks.people import make_organisation
    from integrations_app.models import Delivery, DeliveryAttempt

    rows = [
        make_integration(make_organisation(f"many{workers}x{n}"), received, "trial_http", "/fast")
        for n in range(8)
    ]
    ids = [send(rows[n % 8], 10_000 * workers + n).pk for n in range(messages)]
    for number in range(workers):
        nursery.start(f"worker-{number + 1}")
    wait_until_settled(ids, 240.0, lambda: None)
    stop(nursery)
    begun = DeliveryAttempt.objects.filter(delivery__in=ids).aggregate(at=Min("created_at"))["at"]
    done = Delivery.objects.filter(pk__in=ids, status="accepted")
    seconds = (done.aggregate(at=Max("accepted_at"))["at"] - begun).total_seconds()
    return done.count() / seconds


def stop(nursery: Nursery) -> None:
    for name in list(nursery.pids):
        nursery.kill(name)
    time.sleep(0.5)


def statements(received: Received) -> dict[str, Any]:
    """Of one delivery: queued, begun, finished; with what transactions cost besides."""
    from django.db import transaction

    from benchmarks.deliveries.rows import make_integration, send
    from benchmarks.people import make_organisation
    from integrations_app.models import Integration
    from integrations_app.providers.base import Accepted
    from integrations_app.runtime.routing import route
    from integrations_app.services.attempts import begin
    from integrations_app.services.outcomes import Begun, finish

    house = make_organisation("counted")
    integration = make_integration(house, received, "trial_http", "/fast")
    found: dict[str, Any] = {}
    with transaction.atomic():
        for number in range(2):  # the second time caches and the pool are there
            with counted() as queue:
                delivery = send(integration, 500_000 + number)
            with counted() as start:
                begun = begin(delivery.pk, "bench")
            assert isinstance(begun, Begun)
            with counted() as end:
                finish(begun, Accepted(message_id=f"m{number}"))
            found = {
                "statements_queue": queue[0],
                "statements_begin": start[0],
                "statements_finish": end[0],
            }
        transaction.set_rollback(True)
    for _ in range(WAYS - 1):
        make_integration(house, received, "trial_http", "/fast")
    Integration.objects.filter(organisation=house).first()
    with counted() as ways:
        route(house, "email")
    found |= {"statements_route": ways[0]}
    found["route_us"] = each(lambda: route(house, "email"), 300)
    return found


def each(call: Callable[[], Any], times: int) -> float:
    """Microseconds of one call, the median of ten batches."""
    batches = []
    for _ in range(10):
        began = time.perf_counter()
        for _ in range(times // 10):
            call()
        batches.append((time.perf_counter() - began) / (times // 10) * 1e6)
    return sorted(batches)[5]


def sealing() -> dict[str, Any]:
    from one_project.common.sealing import seal, unseal

    secret = {"username": "one", "password": "x" * 40}
    sealed = seal(secret, "bench:1:credentials")
    return {
        "seal_us": each(lambda: seal(secret, "bench:1:credentials"), 5_000),
        "unseal_us": each(lambda: unseal(sealed, "bench:1:credentials"), 5_000),
    }


def topic(people: int) -> dict[str, Any]:
    """A trigger for everybody of a topic, in one transaction: their rows and runs."""
    from benchmarks.people import make_organisation
    from integrations_app.models import NotificationWorkflow, Topic, TopicSubscription
    from integrations_app.services.notifications import trigger
    from one_project.accounts.models import Membership, User

    house = make_organisation("topic")
    users = User.objects.bulk_create(
        [User(email=f"reader{n}@topic.test", name=f"Reader {n}") for n in range(people)]
    )
    Membership.objects.bulk_create([Membership(organisation=house, user=one) for one in users])
    found = Topic.objects.create(organisation=house, key="all", name="All")
    TopicSubscription.objects.bulk_create(
        [TopicSubscription(organisation=house, topic=found, user=one) for one in users]
    )
    NotificationWorkflow.objects.create(
        organisation=house,
        key="news",
        name="News",
        steps=[{"kind": "in_app", "id": "show", "title": "News", "body": "There is some."}],
    )
    began = time.perf_counter()
    with counted() as count:
        rows = trigger(house, "news", to="topic:all", payload={})
    return {
        "topic_people": len(rows),
        "topic_trigger_ms": (time.perf_counter() - began) * 1000,
        "topic_statements": count[0],
    }


async def door(received: Received) -> dict[str, Any]:
    """The door and a bare client, one after the other, PAIRS times."""
    import aiohttp

    from integrations_app.providers.http import fetch

    url, body = received.http + "/fast", {"key": "k", "text": "no number"}

    async def bare() -> None:
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
            await answer.read()

    async def guarded() -> None:
        await fetch(url, method="POST", json=body)

    times: dict[str, list[float]] = {"bare": [], "guarded": []}
    for number in range(PAIRS + 10):
        for name, call in (("bare", bare), ("guarded", guarded))[:: 1 if number % 2 else -1]:
            began = time.perf_counter()
            await call()
            if number >= 10:
                times[name].append((time.perf_counter() - began) * 1000)
    more = [b - a for a, b in zip(times["bare"], times["guarded"], strict=True)]
    return {
        "bare_p50_ms": options.percentile(times["bare"], 0.5),
        "door_p50_ms": options.percentile(times["guarded"], 0.5),
        "door_more_p50_ms": options.percentile(more, 0.5),
    }


ROWS = (
    ("queued → accepted, p50", "accepted_p50_ms", "ms"),
    ("queued → accepted, p95", "accepted_p95_ms", "ms"),
    ("deliveries a second, 1 worker", "per_second_1", ""),
    ("deliveries a second, 8 workers", "per_second_8", ""),
    ("statements to queue", "statements_queue", ""),
    ("statements to begin an attempt", "statements_begin", ""),
    ("statements to record its end", "statements_finish", ""),
    ("choosing among 20 integrations", "route_us", "µs"),
    ("sealing credentials", "seal_us", "µs"),
    ("opening them", "unseal_us", "µs"),
    ("trigger for a topic", "topic_trigger_ms", "ms"),
    ("its statements", "topic_statements", ""),
    ("a request by a bare client", "bare_p50_ms", "ms"),
    ("a request through the door", "door_p50_ms", "ms"),
)


def main() -> None:
    messages = options.number("MESSAGES", 800, most=100_000)
    people = options.number("PEOPLE", 1_000, most=10_000)
    os.environ.setdefault("CORES", "all")
    with receiving() as received:
        os.environ["ONE_HTTP_ALLOWED_HOSTS"] = f"127.0.0.1:{received.http_port}"
        options.say("Starting Postgres, Redis and a worker ...")
        with running_stack(["--rate", "50"]) as stack:
            import benchmarks.deliveries.samples  # noqa: F401 - who queues knows them, too

            nursery = Nursery(stack.environment, stack.folder)
            try:
                nursery.start("worker-1")
                options.say("One by one ...")
                found: dict[str, Any] = {"bench": "integrations", **one_by_one(received)}
                stop(nursery)
                options.say(f"{messages} at once ...")
                found["per_second_1"] = throughput(nursery, received, 1, messages)
                found["per_second_8"] = throughput(nursery, received, EIGHT, messages)
                options.say("In this process ...")
                found |= statements(received) | sealing() | topic(people)
                found |= asyncio.run(door(received))
            finally:
                nursery.close()
    rows = [(label, found[name], unit) for label, name, unit in ROWS]
    options.say("\n" + options.table(["what", "figure", ""], rows))
    options.finish(found)


if __name__ == "__main__":
    main()
