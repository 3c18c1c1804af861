"""What publishing would change for those who are at work, and moving them to another revision.

Assignments keep their revision until staff move them. Moving takes nothing back: what was done
stays done, steps are the same where their keys are; who has finished stays finished and is never
moved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from flows_app.access import require_staff
from flows_app.conf import MAX_NOTES
from flows_app.errors import FlowNotFound
from flows_app.live.announce import announce_flows
from flows_app.models import (
    Flow,
    FlowProgress,
    FlowRevision,
    FlowStep,
    LessonTarget,
    LogKind,
    Status,
    StepState,
    Submission,
    SubmissionStatus,
)
from flows_app.models.lessons import LessonTargetQuerySet
from flows_app.runtime.actors import Actor
from flows_app.runtime.differences import Differences, differences
from flows_app.runtime.progress import Share, share_of
from flows_app.services.agent_starts import begin_open_steps
from flows_app.services.flows import publish_flow
from flows_app.services.reading import shares_of, statuses_of, steps_of_revision
from flows_app.services.writing_steps import drafts_of
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, InvalidInput
from one_project.common.text import clean_text

NONE: Final = "none"
NOT_STARTED: Final = "not_started"
ALL: Final = "all"
WHICH: Final = {
    NONE: "Nobody: they finish what they have begun",
    NOT_STARTED: "Those who have not started",
    ALL: "Everybody who has not finished",
}


@dataclass(frozen=True, slots=True)
class OnRevision:
    """How many who have not finished are on which revision."""

    number: int
    people: int
    not_started: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a revision changes, and for how many of those at work if they were moved.

    ``running``: who would move with ``all``; ``higher``, ``lower``: how many of them would stand at
    more or fewer percent; ``finishing``: who would be done by it. ``staying``: of one step that
    the revision does not have. ``finished``: who is done and stays so.
    """

    differences: Differences
    revisions: list[OnRevision]
    running: int
    not_started: int
    higher: int
    lower: int
    finishing: int
    staying: int
    finished: int


def impact_of(flow: Flow, revision: FlowRevision | None = None) -> Impact:
    """Of publishing the draft, or of moving people to ``revision``. Seven queries, however many.

    Raises InvalidInput where there is neither.
    """
    target = revision or flow.draft
    if target is None:
        raise InvalidInput("There is nothing new to publish.")
    before = drafts_of(flow.published) if flow.published is not None else []
    steps = steps_of_revision(target.pk)
    active = list(_elsewhere(flow, target))
    shares, begun = shares_of(active), _begun(active)
    running = [one for one in active if not (shares[one.pk].is_complete and one.pk in begun)]
    movable = [one for one in running if _has_its_step(one, steps)]
    after = _shares_with(steps, movable)
    changes = [after[one.pk].percent - shares[one.pk].percent for one in movable]
    return Impact(
        differences=differences(before, drafts_of(target)),
        revisions=_by_revision(running, begun),
        running=len(movable),
        not_started=sum(1 for one in movable if one.pk not in begun),
        higher=sum(1 for change in changes if change > 0),
        lower=sum(1 for change in changes if change < 0),
        finishing=sum(1 for one in movable if after[one.pk].is_complete),
        staying=len(running) - len(movable),
        finished=len(active) - len(running),
    )


@transaction.atomic
def publish_and_move(
    flow: Flow, *, by: User, version: int | None = None, which: str = NONE, reason: str = ""
) -> tuple[FlowRevision, int]:
    """Publish the draft and move who is at work, in one go; the revision, and how many moved."""
    revision = publish_flow(flow, by=by, version=version)
    moved = move_targets(flow, revision, which=which, by=Actor(user=by), reason=reason)
    return revision, moved


@transaction.atomic
def move_targets(
    flow: Flow, revision: FlowRevision, *, which: str, by: Actor, reason: str = ""
) -> int:
    """Pin those who are at work to another published revision of the flow; how many it was.

    ``which``: none, not_started, or all who have not finished. Each gets an entry in the log.
    Submissions that wait for a review of a step that is gone are overtaken. Of one step only:
    who has a step that the revision lacks stays. Written as sets, whatever the number of people.
    """
    if by.user is None or by.agent is not None:
        raise AccessDenied("Only staff move people to another revision.")
    require_staff(by.user, flow.organisation_id)
    if which not in WHICH:
        raise InvalidInput("Please choose who is moved: none, not_started or all.")
    if revision.flow_id != flow.pk:
        raise FlowNotFound
    if revision.published_at is None:
        raise InvalidInput("Publish the revision before you move somebody to it.")
    targets = _to_move(flow, revision, which)
    if not targets:
        return 0
    keys = [one.pk for one in targets]
    numbers = dict(flow.revisions.values_list("pk", "number"))
    reason = clean_text(reason).strip()[:MAX_NOTES]
    FlowProgress.objects.bulk_create(
        FlowProgress(
            organisation_id=one.organisation_id,
            target=one,
            seq=one.seq + 1,
            kind=LogKind.REVISION,
            flow_id=one.flow_id,
            step_key=one.step_key,
            user_id=one.user_id,
            agent_id=one.agent_id,
            actor_type=by.type,
            actor=by.user,
            reason=reason,
            notes=f"From revision {numbers[one.revision_id]} to revision {revision.number}",
        )
        for one in targets
    )
    LessonTarget.objects.filter(pk__in=keys).update(
        revision=revision, seq=F("seq") + 1, updated_at=timezone.now()
    )
    kept = revision.steps.values("key")
    lost = Submission.objects.open().filter(target__in=keys).exclude(step_key__in=kept)
    lost.update(status=SubmissionStatus.EXPIRED, updated_at=timezone.now())
    # What the revision has more of for an agent, it begins with by itself.
    agents = LessonTarget.objects.filter(pk__in=keys, agent__isnull=False)
    for target in agents.select_related("lesson__course", "organisation"):
        begin_open_steps(target, by)
    record_event(
        flow.organisation,
        "flow_moved",
        actor=by.user,
        target=f"flow:{flow.pk}",
        data={"revision": revision.number, "targets": len(targets)},
    )
    # Thousands of people are not woken one by one: their pages look by themselves.
    told = [one.user_id for one in targets] if len(targets) <= 200 else []
    announce_flows(flow.organisation_id, told)
    return len(targets)


def revision_differences(before: FlowRevision | None, after: FlowRevision) -> Differences:
    """From one revision to another, or all of ``after`` as new."""
    return differences(drafts_of(before) if before is not None else [], drafts_of(after))


def _to_move(flow: Flow, revision: FlowRevision, which: str) -> list[LessonTarget]:
    if which == NONE:
        return []
    locked = _elsewhere(flow, revision).select_for_update(of=("self",), no_key=True).order_by("pk")
    steps = steps_of_revision(revision.pk)
    targets = [one for one in locked if _has_its_step(one, steps)]
    begun = _begun(targets)
    if which == NOT_STARTED:
        return [one for one in targets if one.pk not in begun]
    shares = shares_of(targets)
    return [one for one in targets if not (shares[one.pk].is_complete and one.pk in begun)]


def _elsewhere(flow: Flow, revision: FlowRevision) -> LessonTargetQuerySet:
    return LessonTarget.objects.active().filter(flow=flow).exclude(revision=revision)


def _has_its_step(target: LessonTarget, steps: Sequence[FlowStep]) -> bool:
    return target.step_key is None or any(step.key == target.step_key for step in steps)


def _begun(targets: Sequence[LessonTarget]) -> set[UUID]:
    """Who has moved any step, or entered or handed in something."""
    rows = StepState.objects.filter(target__in=targets).exclude(status=Status.NOT_STARTED, work={})
    handed_in = Submission.objects.filter(target__in=targets)
    return {
        *rows.values_list("target_id", flat=True),
        *handed_in.values_list("target_id", flat=True),
    }


def _shares_with(steps: Sequence[FlowStep], targets: Sequence[LessonTarget]) -> dict[UUID, Share]:
    statuses = statuses_of(targets)
    return {
        one.pk: share_of(
            [step for step in steps if one.step_key in (None, step.key)],
            statuses[one.pk],
            one.step_key,
        )
        for one in targets
    }


def _by_revision(running: Iterable[LessonTarget], begun: set[UUID]) -> list[OnRevision]:
    found: dict[UUID, list[LessonTarget]] = {}
    for one in running:
        found.setdefault(one.revision_id, []).append(one)
    numbers = FlowRevision.objects.filter(pk__in=found).order_by("number")
    return [
        OnRevision(number, len(found[key]), sum(1 for one in found[key] if one.pk not in begun))
        for key, number in numbers.values_list("pk", "number")
    ]
