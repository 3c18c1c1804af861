"""Named pools and how much they run at once."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, Min, Q
from django.utils import timezone

from one_project.accounts.models import Organisation
from one_project.common.errors import InvalidInput
from one_project.workflows.bell import ring_on_commit
from one_project.workflows.conf import MAX_PARALLELISM
from one_project.workflows.models import Pool, WorkItem
from one_project.workflows.types import Status


def set_parallelism(name: str, parallelism: int | None) -> Pool:
    """Let the pool run so much at once, over all workers: 0 pauses it, None sets no limit.

    Raises InvalidInput below 0 or above 100 (WP-3).
    """
    if parallelism is not None and not 0 <= parallelism <= MAX_PARALLELISM:
        raise InvalidInput(f"A pool runs from 0 (paused) to {MAX_PARALLELISM} at once.")
    pool, _ = Pool.objects.update_or_create(name=name, defaults={"parallelism": parallelism})
    ring_on_commit()
    return pool


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolReport:
    """What a pool did in the last minute, and what it has before it (WP-15)."""

    pool: str
    completed: int
    succeeded: int
    failed: int
    canceled: int
    unknown: int
    running: int
    backlog: int
    waiting: int
    oldest_seconds: float

    @property
    def failure_rate(self) -> float:
        """Of what was completed, from 0 to 1."""
        return (self.failed + self.unknown) / self.completed if self.completed else 0.0


def report(minutes: float = 1.0, *, organisation: Organisation | None = None) -> list[PoolReport]:
    """All pools with work (of the organisation, or of all), by name."""
    work = WorkItem.objects.exclude(pool="")
    if organisation is not None:
        work = work.filter(organisation=organisation)
    since = timezone.now() - timedelta(minutes=minutes)
    done = Q(finished_at__gte=since)
    rows = (
        work.filter(done | Q(status__in=[Status.READY, Status.RUNNING, Status.WAITING]))
        .values("pool")
        .annotate(
            completed=Count("pk", filter=done),
            succeeded=Count("pk", filter=done & Q(status=Status.SUCCESS)),
            failed=Count("pk", filter=done & Q(status=Status.ERROR)),
            canceled=Count("pk", filter=done & Q(status=Status.CANCELED)),
            unknown=Count("pk", filter=done & Q(status=Status.UNKNOWN)),
            running=Count("pk", filter=Q(status=Status.RUNNING)),
            backlog=Count("pk", filter=Q(status=Status.READY)),
            waiting=Count("pk", filter=Q(status=Status.WAITING)),
            oldest=Min("created_at", filter=Q(status=Status.READY)),
        )
        .order_by("pool")
    )
    now = timezone.now()
    reports = []
    for row in rows:
        figures: dict[str, Any] = dict(row)
        oldest = figures.pop("oldest")
        seconds = (now - oldest).total_seconds() if oldest else 0.0
        reports.append(PoolReport(oldest_seconds=seconds, **figures))
    return reports
