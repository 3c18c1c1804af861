"""Digests and throttles: what many notifications of one person have to do with each other.

``DigestEntry`` is the book of both. One open leader of a step, person and key is all the database
allows, so that of many that come at once exactly one waits and tells the rest.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from integrations_app.models import DigestEntry, Notification
from integrations_app.runtime.notification_steps import next_moment
from integrations_app.runtime.step_kinds import Digest, Throttle
from integrations_app.runtime.step_requests import MAX_BODY
from integrations_app.runtime.templates import as_text, look_up, render
from one_project.workflows.models import WorkflowRun

MAX_EVENTS = 100  # told one by one in a digest; the rest is counted


def key_of(path: str, facts: dict[str, Any]) -> str:
    return as_text(look_up(facts["payload"], path))[:200] if path else ""


def _book(row: Notification, step: str, key: str) -> dict[str, Any]:
    return {
        "organisation_id": row.organisation_id,
        "workflow": row.workflow,
        "step": step,
        "user_id": row.user_id,
        "key": key,
    }


def _lock(kind: str, book: dict[str, Any]) -> None:
    """One at a time in this book, until the transaction ends."""
    name = ":".join([kind, *(str(part) for part in book.values())])
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [name])


def join(
    row: Notification, one: Digest, facts: dict[str, Any], now: datetime
) -> tuple[datetime | None, bool]:
    """Until when it collects, and whether it leads; a leader without a time goes on at once."""
    book = _book(row, one.id, key_of(one.key, facts))
    if DigestEntry.objects.filter(notification=row, step=one.id).exists():
        # It leads in place of one that was canceled.
        return _until(one, book, facts, now) or now, True
    if one.look_back is not None:
        # Two that look back at once would both find nothing.
        _lock("digest", book)
    while True:
        open_ones = DigestEntry.objects.filter(**book, is_leader=True, closed_at=None)
        # The row is locked: a leader that closes meanwhile waits, and finds this one.
        if open_ones.select_for_update().first() is not None:
            DigestEntry.objects.create(**book, notification=row)
            return None, False
        until = _until(one, book, facts, now)
        try:
            with transaction.atomic():
                DigestEntry.objects.create(
                    **book, notification=row, is_leader=True, closed_at=None if until else now
                )
        except IntegrityError:
            continue  # somebody else leads since just now
        return until, True


def _until(
    one: Digest, book: dict[str, Any], facts: dict[str, Any], now: datetime
) -> datetime | None:
    if one.at is not None:
        return next_moment(one.at, facts["subscriber"]["timezone"], now)
    if one.look_back is not None:
        since = now - timedelta(seconds=one.look_back)
        if not DigestEntry.objects.filter(**book, created_at__gt=since).exists():
            return None
    return now + timedelta(seconds=one.window or 0)


def close(row: Notification, one: Digest) -> dict[str, Any]:
    """End the collecting of a leader: what later steps know of it (see ``collected``)."""
    now = timezone.now()
    leader = DigestEntry.objects.filter(notification=row, step=one.id, closed_at=None)
    leader.update(closed_at=now)
    entry = DigestEntry.objects.get(notification=row, step=one.id)
    followers = DigestEntry.objects.filter(
        **_book(row, one.id, entry.key), is_leader=False, closed_at=None
    )
    keys = list(followers.order_by("created_at", "pk").values_list("notification_id", flat=True))
    followers.filter(notification_id__in=keys).update(closed_at=now)
    told = Notification.objects.filter(pk__in=keys[: MAX_EVENTS - 1])
    rows = [row, *sorted(told, key=lambda other: keys.index(other.pk))]
    return collected(row, one, rows, count=len(keys) + 1)


def hand_on(row: Notification) -> None:
    """It ends. If it was collecting, the first of those that have joined it leads from now on;
    where there is none, whatever comes next begins a new digest."""
    led = DigestEntry.objects.filter(notification=row, is_leader=True, closed_at=None)
    for entry in led.select_for_update():
        entry.closed_at = timezone.now()
        entry.save(update_fields=["closed_at"])
        joined = DigestEntry.objects.filter(
            **_book(row, entry.step, entry.key),
            is_leader=False,
            closed_at=None,
            # The run of one that has just joined is about to end it.
            notification__ended_at__isnull=False,
        )
        heir = joined.select_related("notification__organisation").order_by("created_at").first()
        run = row.run_id and WorkflowRun.objects.filter(pk=row.run_id).first()
        if heir is not None and run:
            _lead(heir, run.arguments["steps"])


def _lead(entry: DigestEntry, steps: list[dict[str, Any]]) -> None:
    # Above this module in its own room.
    from integrations_app.services.triggering import begin_from

    entry.is_leader = True
    entry.save(update_fields=["is_leader"])
    heir = entry.notification
    heir.ended_at = None
    heir.save(update_fields=["ended_at", "updated_at"])
    begin_from(heir, steps, entry.step)


def collected(
    row: Notification, one: Digest, rows: list[Notification], *, count: int = 1
) -> dict[str, Any]:
    """``count``, ``events`` (payloads, oldest first, up to a size) and ``text`` (a line each)."""
    events: list[dict[str, Any]] = []
    lines, room = [], MAX_BODY
    for other in rows:
        room -= len(str(other.payload))
        if room < 0:
            break
        events.append(other.payload)
        if one.line:
            lines.append(f"- {' '.join(render(one.line, {'payload': other.payload}).split())}")
    if lines and count > len(lines):
        lines.append(f"- and {count - len(lines)} more")
    return {"count": count, "events": events, "text": "\n".join(lines)}


def passes(row: Notification, one: Throttle, facts: dict[str, Any], now: datetime) -> bool:
    """Whether fewer than the threshold went by here in the window; this one counts from now on."""
    book = _book(row, one.id, key_of(one.key, facts))
    # Two that count at once would both find room.
    _lock("throttle", book)
    since = now - timedelta(seconds=one.window)
    if DigestEntry.objects.filter(**book, created_at__gt=since).count() >= one.threshold:
        return False
    DigestEntry.objects.create(**book, notification=row, closed_at=now)
    return True
