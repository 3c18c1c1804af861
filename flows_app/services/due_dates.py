"""Changing when work is due or looked at again; each change is in the log of whom it concerns."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone as clock

from flows_app.conf import MAX_NOTES
from flows_app.errors import LessonNotFound
from flows_app.models import Lesson, LessonTarget, LogKind
from flows_app.runtime.actors import Actor
from flows_app.runtime.dates import told
from flows_app.services.assigning import checked_time, checked_zone
from flows_app.services.log_sets import add_entries, lock_targets
from flows_app.services.rights import require_staff_actor
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict
from one_project.common.text import clean_text


@transaction.atomic
def change_due(
    lesson: Lesson,
    *,
    by: Actor,
    due_at: datetime | None,
    follow_up_at: datetime | None,
    timezone: str = "",
    reason: str = "",
    targets: Sequence[LessonTarget] | None = None,
) -> int:
    """Set both dates (None: no date) of an assignment, or of some ``targets`` of it only; of how
    many they changed. ``timezone``: where the days are meant, else as before.

    Raises LessonNotFound for who is not staff, Conflict where it was withdrawn, InvalidInput.
    """
    require_staff_actor(by, lesson.organisation_id, LessonNotFound)
    zone = checked_zone(timezone or lesson.timezone)
    due_at, follow_up_at = checked_time(due_at), checked_time(follow_up_at)
    row = Lesson.objects.select_for_update(of=("self",), no_key=True).get(pk=lesson.pk)
    if row.withdrawn_at is not None:
        raise Conflict("This assignment was withdrawn: its dates stay as they are.")
    chosen = row.targets.active()
    if targets is None:
        row.due_at, row.follow_up_at, row.timezone = due_at, follow_up_at, zone
        row.save(update_fields=["due_at", "follow_up_at", "timezone", "updated_at"])
    else:
        chosen = chosen.filter(pk__in=[one.pk for one in targets])
    changed = [
        one
        for one in lock_targets(chosen.values_list("pk", flat=True))
        if (one.due_at, one.follow_up_at) != (due_at, follow_up_at)
    ]
    notes = {one.pk: _change(one, due_at, follow_up_at, zone) for one in changed}
    rows = LessonTarget.objects.filter(pk__in=list(notes))
    rows.update(due_at=due_at, follow_up_at=follow_up_at, updated_at=clock.now())
    reason = clean_text(reason).strip()[:MAX_NOTES]
    add_entries(changed, LogKind.DUE, by, notes=notes, reason=reason)
    record_event(
        row.organisation,
        "lesson_due_changed",
        actor=by.user,
        target=f"lesson:{row.pk}",
        data={"targets": len(changed)},
    )
    return len(changed)


def _change(
    target: LessonTarget, due_at: datetime | None, follow_up_at: datetime | None, zone: str
) -> str:
    """``Due 3 Dec 2026 (was: no date).``"""
    said = []
    for word, before, after in (
        ("Due", target.due_at, due_at),
        ("Follow-up", target.follow_up_at, follow_up_at),
    ):
        if before != after:
            said.append(f"{word}: {told(after, zone)} (was: {told(before, zone)}).")
    return " ".join(said)
