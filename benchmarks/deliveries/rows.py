"""Organisations with integrations, messages for them, and what became of these."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from benchmarks.deliveries.receivers import Received

if TYPE_CHECKING:
    from integrations_app.models import Delivery, Integration
    from one_project.accounts.models import Organisation

CANARY = "canary-trial"
OPEN = ("queued", "sending")


def make_integration(
    organisation: "Organisation", received: Received, kind: str, path: str = "/some"
) -> "Integration":
    """One that sends to the receiver: ``smtp``, ``trial_http`` or ``trial_keyed``."""
    from integrations_app.models import Integration

    secret = f"{CANARY}-{kind}-{organisation.pk.hex}"
    settings: dict[str, Any] = {"url": received.http + path}
    credentials: dict[str, Any] = {"key": secret}
    if kind == "smtp":
        settings = {
            "host": "127.0.0.1",
            "port": received.smtp_port,
            "security": "none",
            "from_email": "one@bench.test",
        }
        credentials = {}
    return Integration.objects.create(
        organisation=organisation,
        name=kind,
        provider=kind,
        channel_type="email",
        settings=settings,
        credentials=credentials,
        status="active",
    )


def send(integration: "Integration", number: int) -> "Delivery":
    from integrations_app.providers.base import Content, Target
    from integrations_app.services.deliveries import queue_delivery
    from integrations_app.types import EndpointType

    return queue_delivery(
        integration.organisation_id,
        content=Content(subject="Trial", text=f"This is number {number}."),
        channel_type="email",
        integration_id=integration.pk,
        target=Target(type=EndpointType.EMAIL, address=f"reader{number}@bench.test"),
        source="test",
    )


def wait_until_settled(ids: Sequence[UUID], within: float, look: Callable[[], None]) -> float:
    """Seconds until none of them is open; raises TimeoutError never: what is left is judged."""
    from django.db import connection

    from integrations_app.models import Delivery

    began = time.monotonic()
    while time.monotonic() < began + within:
        look()
        if not Delivery.objects.filter(pk__in=ids, status__in=OPEN).exists():
            break
        connection.close()
        time.sleep(0.3)
    return time.monotonic() - began


@dataclass
class Verdict:
    """``lost``: accepted and never received, failed, or still open. ``doubled``: received twice.
    ``resent``: attempts after an unknown one where the provider takes no key."""

    by_status: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    unknown: int = 0
    unknown_received: int = 0
    resent: int = 0
    attempts: int = 0
    problems: list[str] = field(default_factory=list)


def judge(sent: dict[int, UUID], received: Received) -> Verdict:
    from integrations_app.models import Delivery, DeliveryAttempt

    verdict = Verdict()
    rows = {row.pk: row for row in Delivery.objects.filter(pk__in=list(sent.values()))}
    attempts: dict[UUID, list[Any]] = {}
    for attempt in DeliveryAttempt.objects.filter(delivery__in=list(rows)).order_by("number"):
        attempts.setdefault(attempt.delivery_id, []).append(attempt)
    keyed = set(
        Delivery.objects.filter(integration__provider="trial_keyed").values_list("pk", flat=True)
    )
    for number, key in sent.items():
        row, taken = rows.get(key), received.taken[number]
        status = row.status if row else "gone"
        verdict.by_status[status] += 1
        tries = attempts.get(key, [])
        verdict.attempts += len(tries)
        verdict.doubled += taken > 1
        if status == "unknown":
            verdict.unknown += 1
            verdict.unknown_received += taken > 0
        elif status != "accepted" or not taken:
            verdict.lost += 1
            why = ", ".join(f"{one.status} {one.code}".strip() for one in tries)
            verdict.problems.append(f"number {number}: {status}, received {taken} times ({why})")
        if key not in keyed:
            verdict.resent += any(one.status == "unknown" for one in tries[:-1])
    return verdict


def canaries(folder: Any) -> list[str]:
    """Where a planted secret is to be read: files of the processes, and every table."""
    from django.db import connection

    logs = sorted(folder.glob("*.log"))
    found = [path.name for path in logs if CANARY in path.read_text(errors="replace")]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) "
            "FROM information_schema.tables "
            "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f"SELECT EXISTS (SELECT 1 FROM {table} AS t WHERE t::text LIKE %s)",
                [f"%{CANARY}%"],
            )
            if cursor.fetchone()[0]:
                found.append(table)
    return found
