"""``make trial-deliveries``: kill workers while messages are sent; count what is lost or doubled.

Eight workers send MESSAGES messages of four organisations by SMTP and HTTP to servers on loopback
that count them; some are refused at first. KILLS times a worker ends with ``kill -9``: before a
message is handed over, between handing over and recording, or at any moment. Then what was sent and
what was received are compared. Besides: every form of an address that leads inside is refused when
it is saved and when it is sent to; planted secrets are nowhere to be read afterwards; and a tenant
whose provider is slow does not delay another one. SEED repeats a run.
"""

import os
import random
import sys
import threading
import time
from collections import Counter
from typing import Any
from uuid import UUID

from benchmarks import options
from benchmarks.deliveries.nursery import Nursery
from benchmarks.deliveries.receivers import Received, receiving
from benchmarks.stack import Stack, running_stack

WORKERS = 8
POINTS = ("delivery_started", "delivery_sent")
FATES = (*POINTS, "any_moment")
DEAD_WITHIN = 8.0  # seconds for a fate to come; then it dies at that moment
QUIET_WITHIN = 180.0
KINDS = ("smtp", "trial_http", "trial_keyed")
PATHS = {"trial_keyed": "/keyed"}
FAST = 60  # messages of the fast tenant
SLOWS = 200  # of the slow one


class Sender(threading.Thread):
    """Queues the messages, until ``enough``: as many as asked for, and on while there are kills."""

    def __init__(self, integrations: list[Any], messages: int) -> None:
        super().__init__(name="sender", daemon=True)
        self.integrations, self.messages = integrations, messages
        self.sent: dict[int, UUID] = {}
        self.enough = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        from benchmarks.deliveries.rows import send

        try:
            number = 0
            while number < self.messages or not self.enough.is_set():
                number += 1
                self.sent[number] = send(
                    self.integrations[number % len(self.integrations)], number
                ).pk
                time.sleep(0.02)
        except BaseException as error:
            self.failure = error
        finally:
            from django.db import connection

            connection.close()


def kill_while_sending(
    nursery: Nursery, sender: Sender, kills: int, chance: random.Random
) -> Counter[str]:
    done: Counter[str] = Counter()
    for number in range(kills):
        name = f"worker-{chance.randrange(WORKERS) + 1}"
        fate = FATES[number % len(FATES)]
        nursery.kill(name)
        nursery.start(name, f"{fate}:{chance.randint(1, 4)}" if fate in POINTS else "-")
        until = time.monotonic() + (DEAD_WITHIN if fate in POINTS else chance.uniform(0.2, 1.5))
        while time.monotonic() < until and nursery.is_alive(name):
            time.sleep(0.02)
        died = not nursery.is_alive(name)
        nursery.kill(name)
        nursery.start(name)
        done[fate if died or fate not in POINTS else "any_moment"] += 1
        if sender.failure is not None:
            raise sender.failure
        if (number + 1) % 10 == 0:
            options.say(f"  {number + 1} kills, {len(sender.sent)} messages queued")
    return done


def kills_trial(
    stack: Stack, nursery: Nursery, received: Received, kills: int, messages: int, seed: int
) -> tuple[dict[str, Any], list[str]]:
    from benchmarks.deliveries.rows import judge, make_integration, wait_until_settled
    from benchmarks.people import make_organisation

    houses = [make_organisation(f"sender{number}") for number in range(4)]
    integrations = [
        make_integration(house, received, kind, PATHS.get(kind, "/some"))
        for house in houses
        for kind in KINDS
    ]
    sender = Sender(integrations, messages)
    sender.start()
    done = kill_while_sending(nursery, sender, kills, random.Random(seed))
    sender.enough.set()
    sender.join()
    options.say("Waiting until it is quiet ...")
    quiet = wait_until_settled(list(sender.sent.values()), QUIET_WITHIN, lambda: None)
    verdict = judge(sender.sent, received)
    return {
        "kills": done.total(),
        "messages": len(sender.sent),
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "resent": verdict.resent,
        "unknown": verdict.unknown,
        "unknown_received": verdict.unknown_received,
        "attempts": verdict.attempts,
        "refused_at_first": received.refused,
        "quiet_after_s": quiet,
        "by_fate": dict(done),
        "by_status": dict(verdict.by_status),
    }, verdict.problems[:20]


def inside_trial(received: Received) -> tuple[dict[str, Any], list[str]]:
    """Every form of an address inside: at save, and past that at sending."""
    from benchmarks.deliveries.rows import make_integration, send, wait_until_settled
    from benchmarks.people import make_organisation
    from integrations_app.models import Delivery, Integration
    from integrations_app.providers.base import provider_of, validated
    from integrations_app.providers.http import check_address
    from tests.integrations.ways_inside import ADDRESSES, HOSTS, url_of

    house = make_organisation("inside")
    smtp = provider_of("smtp")
    # On the usual port, where nobody listens: what got through would be tried again, not fail.
    urls = [*ADDRESSES, *map(url_of, HOSTS), *(_at(host, received.trap_port) for host in HOSTS)]

    def save(host: str) -> None:
        values = {"host": host, "port": 25, "from_email": "one@bench.test"}
        smtp.check_settings(validated(smtp.settings_model, values))

    saved = [url for url in urls if not _refused(check_address, url)]
    saved += [f"smtp {host}" for host in HOSTS if not _refused(save, host)]
    ids = []
    for number, url in enumerate(urls):
        row = make_integration(house, received, "trial_http")
        Integration.objects.filter(pk=row.pk).update(settings={"url": url})
        ids.append(send(row, 1_000_000 + number).pk)
    for number, host in enumerate(HOSTS):
        row = make_integration(house, received, "smtp")
        settings = {**row.settings, "host": host, "port": 25}
        Integration.objects.filter(pk=row.pk).update(settings=settings)
        ids.append(send(row, 2_000_000 + number).pk)
    wait_until_settled(ids, 90.0, lambda: None)
    rows = Delivery.objects.filter(pk__in=ids)
    went = [f"{one.integration}: {one.status}" for one in rows.exclude(status="failed")]
    return {
        "forms": len(urls) + len(HOSTS),
        "saved_inside": len(saved),
        "sent_inside": len(went) + received.trapped,
    }, [*(f"saved: {one}" for one in saved), *(f"sent: {one}" for one in went)]


def _at(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _refused(save: Any, value: str) -> bool:
    from one_project.common.errors import AppError

    try:
        save(value)
    except AppError:
        return True
    return False


def slow_trial(received: Received) -> dict[str, Any]:
    """The fast tenant alone, then beside a slow one."""
    from benchmarks.deliveries.rows import make_integration, send, wait_until_settled
    from benchmarks.people import make_organisation
    from integrations_app.models import Delivery

    fast = make_integration(make_organisation("fast"), received, "trial_http", "/fast")
    slow = make_integration(make_organisation("slow"), received, "trial_http", "/slow")

    def times(first: int) -> list[float]:
        ids = []
        for number in range(FAST):
            ids.append(send(fast, first + number).pk)
            time.sleep(0.05)
        wait_until_settled(ids, 60.0, lambda: None)
        rows = Delivery.objects.filter(pk__in=ids, accepted_at__isnull=False)
        return [(one.accepted_at - one.created_at).total_seconds() * 1000 for one in rows]

    times(3_000_000)
    alone = times(3_100_000)
    for number in range(SLOWS):
        send(slow, 3_200_000 + number)
    time.sleep(1.0)
    beside = times(3_300_000)
    waiting = Delivery.objects.filter(
        organisation=slow.organisation_id, status__in=["queued", "sending"]
    ).count()
    return {
        "fast_alone_p50_ms": options.percentile(alone, 0.5),
        "fast_alone_p95_ms": options.percentile(alone, 0.95),
        "fast_beside_slow_p50_ms": options.percentile(beside, 0.5),
        "fast_beside_slow_p95_ms": options.percentile(beside, 0.95),
        "fast_missing": 2 * FAST - len(alone) - len(beside),
        "slow_still_waiting": waiting,
    }


def show(found: dict[str, Any], lines: list[str]) -> None:
    options.say("\n" + options.table(["killed", "times"], sorted(found["by_fate"].items())))
    options.say("\n" + options.table(["messages", "number"], sorted(found["by_status"].items())))
    for line in lines:
        options.say(line)
    options.say(
        f"\n{found['messages']} messages and {found['kills']} kills: {found['lost']} lost, "
        f"{found['doubled']} doubled, {found['unknown']} of which nobody knows "
        f"({found['unknown_received']} of them had arrived), {found['resent']} sent again blindly."
    )
    options.say(
        f"{found['forms']} ways inside: {found['saved_inside']} could be saved, "
        f"{found['sent_inside']} were sent to. Planted secrets found: {found['canaries']}."
    )
    options.say(
        f"A fast tenant: p95 {found['fast_alone_p95_ms']:.0f} ms alone, "
        f"{found['fast_beside_slow_p95_ms']:.0f} ms beside a slow one "
        f"({found['slow_still_waiting']} of whose messages still wait)."
    )
    options.finish(found)


def main() -> None:
    kills = options.number("KILLS", 60, least=0, most=10_000)
    messages = options.number("MESSAGES", 600, most=100_000)
    seed = options.number("SEED", 1, least=0)
    os.environ.setdefault("CORES", "all")
    with receiving() as received:
        ports = f"127.0.0.1:{received.http_port},127.0.0.1:{received.smtp_port}"
        os.environ["ONE_HTTP_ALLOWED_HOSTS"] = ports
        options.say("Starting Postgres, Redis and eight workers ...")
        with running_stack(["--rate", "50"]) as stack:
            import benchmarks.deliveries.samples  # noqa: F401 - who queues knows them, too

            nursery = Nursery(stack.environment, stack.folder)
            try:
                for number in range(WORKERS):
                    nursery.start(f"worker-{number + 1}")
                options.say(f"Killing {kills} times (SEED={seed}) while messages are sent.")
                found, lines = kills_trial(stack, nursery, received, kills, messages, seed)
                options.say("Trying the ways inside ...")
                inside, more = inside_trial(received)
                options.say("A slow tenant beside a fast one ...")
                slow = slow_trial(received)
                from benchmarks.deliveries.rows import canaries

                places = canaries(stack.folder)
            finally:
                nursery.close()
    found = {"trial": "deliveries", **found, **inside, **slow, "canaries": len(places)}
    show(found, [*lines, *more, *(f"a secret is in {place}" for place in places)])
    bad = ("lost", "doubled", "resent", "saved_inside", "sent_inside", "canaries")
    sys.exit(1 if any(found[name] for name in bad) else 0)


if __name__ == "__main__":
    main()
