"""Reminders of due dates and follow-ups: each once, to who has to do something.

- Only the assignee is reminded of due dates, of what is neither done, nor blocked, nor waiting for
  a review; only who assigned is reminded of a follow-up, once for an assignment and date.
- Days are those of the assignment's time zone: a week before, the day before, on the day, three
  days after. Who looks late sends the latest of them alone, and nothing that lay before the
  assignment (being assigned was news enough).
- The row of Reminder is the promise. It commits together with the notice, and the database lets it
  exist once for a person, thing, kind and date: two schedulers, a crash, a repeated run change
  nothing. Another due date is another reminder.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone

from flows_app.models import LessonTarget, NoticeKind, Reminder, ReminderKind
from flows_app.services.due_rows import (
    dated_steps,
    due_steps,
    due_targets,
    follow_ups,
    incomplete,
)
from flows_app.services.notices import News, address_of, post
from flows_app.services.wishes import zone_of

# Reminders written in one transaction, and batches of one run and time zone.
BATCH: Final = 500
MAX_BATCHES: Final = 40

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Today:
    """A day somewhere: its date, and when days begin there."""

    zone: ZoneInfo
    day: date

    def start(self, days: int = 0) -> datetime:
        """Of the day so many days from this one."""
        return datetime.combine(self.day + timedelta(days=days), time(), self.zone)


def send_due_reminders(now: datetime | None = None) -> int:
    """Remind of all that is to be reminded of by now; how many notices. Safe to run at any time, as
    often as one likes, also twice at once."""
    now = now or timezone.now()
    made = 0
    zones = LessonTarget.objects.active().order_by().values_list("lesson__timezone", flat=True)
    for name in sorted(set(zones.distinct())):
        zone = zone_of(name)
        today = Today(zone, now.astimezone(zone).date())
        for find in (due_targets, due_steps, dated_steps, follow_ups):
            of_zone = find(today.start).filter(lesson__timezone=name).order_by("pk", "key")
            for _ in range(MAX_BATCHES):
                seen, sent = _remind(of_zone, today, now)
                made += sent
                if seen < BATCH:
                    break
    return made


@transaction.atomic
def _remind(rows: QuerySet[Any], today: Today, now: datetime) -> tuple[int, int]:
    """One batch: how many were to be reminded of, and how many notices came of it."""
    fields = ("pk", "organisation_id", "lesson_id", "key", "step_name", "due", "kind", "to")
    found: list[Row] = list(rows.values(*fields, "flow__name")[:BATCH])
    promises = [
        Reminder(
            organisation_id=row["organisation_id"],
            target_id=row["pk"],
            step_key=row["key"],
            user_id=row["to"],
            kind=row["kind"],
            due_at=row["due"],
        )
        for row in found
    ]
    # Somebody else may be at it: what they promise first is theirs to keep.
    Reminder.objects.bulk_create(promises, ignore_conflicts=True)
    keys = [promise.pk for promise in promises]
    stored = set(Reminder.objects.filter(pk__in=keys).values_list("pk", flat=True))
    pairs = zip(promises, found, strict=True)
    kept = [(promise, row) for promise, row in pairs if promise.pk in stored]
    news = _news(kept, today)
    sent = 0
    for organisation_id in sorted({promise.organisation_id for promise, _ in kept}):
        posted = post(organisation_id, [one for at, one in news if at == organisation_id], now=now)
        # A notice has the key of the reminder it is for.
        mine = Reminder.objects.filter(pk__in=[notice.pk for notice in posted])
        mine.update(notice_id=F("id"))
        sent += len(posted)
    return len(found), sent


def _news(kept: list[tuple[Reminder, Row]], today: Today) -> list[tuple[UUID, News]]:
    """What to tell, by organisation: one notice for each, of follow-ups one for an assignment."""
    news = []
    seen: set[tuple[UUID, datetime]] = set()
    for promise, row in kept:
        if promise.kind == ReminderKind.FOLLOW_UP:
            thing = (row["lesson_id"], promise.due_at)
            if thing in seen or _told_before(promise, row, [one for one, _ in kept]):
                continue
            seen.add(thing)
            text, url = _follow_up(row)
        else:
            text, url = _due_text(row, today), address_of(row["pk"], row["key"])
        one = News(
            key=promise.pk,
            user_id=promise.user_id,
            kind=NoticeKind.REMINDER,
            text=text,
            url=url,
            target_id=promise.target_id,
        )
        news.append((promise.organisation_id, one))
    return news


def _told_before(promise: Reminder, row: Row, batch: Iterable[Reminder]) -> bool:
    """Whether a batch before this one told of the same assignment's follow-up."""
    others = Reminder.objects.filter(
        target__lesson=row["lesson_id"], kind=promise.kind, due_at=promise.due_at
    )
    return others.exclude(pk__in=[one.pk for one in batch]).exists()


def _follow_up(row: Row) -> tuple[str, str]:
    open_ones = incomplete(LessonTarget.objects.active().filter(lesson=row["lesson_id"])).count()
    what = "1 assignment is" if open_ones == 1 else f"{open_ones} assignments are"
    text = f"Follow up: of “{row['flow__name']}” {what} not complete yet"
    return text, reverse("flows:assignment", args=[row["lesson_id"]])


def _due_text(row: Row, today: Today) -> str:
    flow = f"“{row['flow__name']}”"
    what = f"“{row['step_name']}” of {flow}" if row["key"] else flow
    due = row["due"].astimezone(today.zone).date()
    days = (due - today.day).days
    if days == 0:
        return f"{what} is due today"
    if days == 1:
        return f"{what} is due tomorrow"
    on = f"{due.day} {due:%B}"
    return f"{what} is due on {on}" if days > 0 else f"{what} was due on {on}"
