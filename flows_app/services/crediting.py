"""Recognising what somebody has completed before, in an earlier assignment of the same flow."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from flows_app.errors import LessonNotFound
from flows_app.models import FlowStep, Lesson, LessonTarget, Status, StepState
from flows_app.runtime.actors import SYSTEM, Actor
from flows_app.runtime.dates import told
from flows_app.services.progress import update_flow_progress
from flows_app.services.reading import statuses_of
from flows_app.services.rights import require_staff_actor
from one_project.common.errors import Conflict, InvalidInput

MAX_DAYS = 3_660
# (person or agent, flow, step) and when it was completed last.
Prior = dict[tuple[UUID, UUID, UUID], datetime]


@dataclass(frozen=True, slots=True)
class Credit:
    """A step somebody has done before, and when."""

    target: LessonTarget
    step: FlowStep
    completed_at: datetime


def credit_prior(
    of: Lesson | Sequence[LessonTarget],
    newer_than_days: int,
    *,
    by: Actor,
    preview: bool = False,
) -> list[Credit]:
    """Mark as Completed what the same person or agent has completed before in the same flow (the
    same step) within so many days. ONE says so, with a note; ``preview`` only returns what it
    would be. What has been begun, and what is locked, stays as it is.

    Raises LessonNotFound for who is not staff, InvalidInput.
    """
    since = since_days(newer_than_days)
    if isinstance(of, Lesson):
        targets = list(of.targets.active().select_related("flow", "user", "agent"))
    else:
        targets = list(of)
    for organisation_id in {one.organisation_id for one in targets}:
        require_staff_actor(by, organisation_id, LessonNotFound)
    found = _found(targets, since)
    return found if preview else [one for one in found if _credited(one)]


def since_days(days: int) -> datetime:
    """Raises InvalidInput."""
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInput(f"Please give 1 to {MAX_DAYS} days.")
    return timezone.now() - timedelta(days=days)


def prior_completions(
    who: Iterable[UUID], flows: Iterable[UUID], since: datetime, *, but: Iterable[UUID] = ()
) -> Prior:
    """What these people and agents have completed since, by (who, flow, step key). Two queries.

    ``but``: targets that do not count, because they are the new ones.
    """
    rows = StepState.objects.filter(
        status=Status.COMPLETED, completed_at__gte=since, target__flow__in=list(flows)
    ).exclude(target__in=list(but))
    # Older than its assignment is only what was taken over: somebody else has done that.
    rows = rows.filter(completed_at__gte=F("target__created_at"))
    people = list(who)
    found: Prior = {}
    for field in ("target__user_id", "target__agent_id"):
        mine = rows.filter(**{f"{field}__in": people}).order_by("completed_at")
        for one, flow, key, at in mine.values_list(
            field, "target__flow_id", "step_key", "completed_at"
        ):
            found[one, flow, key] = at
    return found


def _found(targets: Sequence[LessonTarget], since: datetime) -> list[Credit]:
    """In the order of steps, so that each opens the next. Five queries."""
    owned = [(one, one.user_id or one.agent_id) for one in targets]
    prior = prior_completions(
        [who for _, who in owned if who],
        {one.flow_id for one in targets},
        since,
        but=[one.pk for one in targets],
    )
    if not prior:
        return []
    steps = defaultdict(list)
    revisions = {one.revision_id for one in targets}
    for step in FlowStep.objects.filter(revision_id__in=revisions).order_by("position"):
        steps[step.revision_id].append(step)
    statuses = statuses_of(targets)
    return [
        Credit(target, step, prior[who, target.flow_id, step.key])
        for target, who in owned
        for step in steps[target.revision_id]
        if who
        and target.step_key in (None, step.key)
        and (who, target.flow_id, step.key) in prior
        and statuses[target.pk].get(step.key, Status.NOT_STARTED) == Status.NOT_STARTED
    ]


def _credited(credit: Credit) -> bool:
    when = told(credit.completed_at, "UTC")
    try:
        with transaction.atomic():
            update_flow_progress(
                credit.target,
                credit.step,
                Status.COMPLETED,
                by=SYSTEM,
                notes=f"Credited: completed before, on {when}.",
            )
    except Conflict:  # locked by a step that is new, or begun in the meantime
        return False
    return True
