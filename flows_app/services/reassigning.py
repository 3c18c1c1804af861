"""Work goes to somebody else, or begins again; what was done stays written where it was done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from agents_app.models import Agent
from agents_app.services.files import use_files
from flows_app.conf import MAX_NOTES
from flows_app.errors import AlreadyAssigned, LessonNotFound
from flows_app.models import (
    FlowProgress,
    FlowStep,
    Lesson,
    LessonTarget,
    LogKind,
    NoticeKind,
    Status,
    StepState,
)
from flows_app.runtime.actors import Actor
from flows_app.services.assigning import check_principal
from flows_app.services.ending import end_targets
from flows_app.services.following import tell_assigned
from flows_app.services.log import add_entry, lock_target
from flows_app.services.notices import address_of, notify
from flows_app.services.reading import shares_of
from flows_app.services.rights import require_staff_actor
from flows_app.services.targets import Part, add_targets, last_attempts, parts_of
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict
from one_project.common.text import clean_text

# What of a step belongs to the one who did it: a conversation is not handed over, nor is a workflow
# that runs and will tell the old assignment how it ended.
OWN_WORK = ("thread", "run")


@dataclass(frozen=True, slots=True)
class Handed:
    """What went to somebody else, and what stayed with the reason."""

    targets: list[LessonTarget]
    kept: list[tuple[LessonTarget, str]]


@transaction.atomic
def reassign(
    target: LessonTarget,
    *,
    by: Actor,
    to_user: User | None = None,
    to_agent: Agent | None = None,
    reason: str = "",
) -> LessonTarget:
    """Give the work to another person or agent, who goes on where it stands; the new row.

    The old one ends (``reassigned``) with its log; the new one, of the same lesson, revision and
    dates, begins with a copy of the states, each written as an entry, so that replaying its own
    log gives them. Drafts that wait for a review are overtaken, as is a thread with an agent.

    Raises LessonNotFound for who is not staff, Conflict where it has ended or is theirs already,
    AlreadyAssigned where the other has the same work, InvalidInput.
    """
    require_staff_actor(by, target.organisation_id, LessonNotFound)
    reason = clean_text(reason).strip()[:MAX_NOTES]
    _hold(target)
    old = lock_target(target.pk)
    check_principal(old.organisation, to_user, to_agent)
    if (old.user_id, old.agent_id) == (to_user and to_user.pk, to_agent and to_agent.pk):
        raise Conflict(f"{old.assignee_name} has this already.")
    new = _successor(old, to_user, to_agent)
    add_entry(old, LogKind.REASSIGNED, by, reason=reason, notes=f"Given to {new.assignee_name}.")
    end_targets([old], "reassigned", by=by, reason=reason)
    try:
        with transaction.atomic():
            new.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyAssigned(f"{new.assignee_name} has the same work already.") from error
    _copy(old, new, by, reason)
    _tell_the_old(old, new, by)
    record_event(
        old.organisation,
        "lesson_reassigned",
        actor=by.user,
        target=f"lesson:{old.lesson_id}",
        data={"from": str(old.pk), "to": str(new.pk)},
    )
    tell_assigned(old.lesson, [new], by)
    return new


def reassign_person(
    organisation: Organisation,
    user: User,
    *,
    by: Actor,
    to_user: User | None = None,
    to_agent: Agent | None = None,
    reason: str = "",
    only: Sequence[UUID] | None = None,
) -> Handed:
    """Give all open work of a person (or ``only`` these targets) to another. What the other has
    already stays, with the reason; each goes by itself. Raises as ``reassign`` does."""
    require_staff_actor(by, organisation, LessonNotFound)
    check_principal(organisation, to_user, to_agent)
    given: list[LessonTarget] = []
    kept: list[tuple[LessonTarget, str]] = []
    for target in open_work(organisation, user):
        if only is not None and target.pk not in only:
            continue
        try:
            given.append(reassign(target, by=by, to_user=to_user, to_agent=to_agent, reason=reason))
        except Conflict as error:
            kept.append((target, error.user_message))
    return Handed(given, kept)


def open_work(organisation: Organisation, user: User) -> list[LessonTarget]:
    """What the person has not ended nor completed, what is due first on top. Three queries."""
    rows = list(
        LessonTarget.objects.active()
        .filter(organisation=organisation, user=user)
        .select_related("lesson", "flow", "user", "agent")
        .order_by("due_at", "assigned_at", "position")
    )
    shares = shares_of(rows)
    return [one for one in rows if not shares[one.pk].is_complete]


@transaction.atomic
def restart(target: LessonTarget, *, by: Actor, reason: str = "") -> LessonTarget:
    """End it and begin attempt n+1, at the revision published now; the new row.

    Raises LessonNotFound for who is not staff, Conflict where it has ended or is nobody's,
    InvalidInput where its flow cannot be assigned any more, StepNotFound.
    """
    require_staff_actor(by, target.organisation_id, LessonNotFound)
    lesson = _hold(target)
    old = lock_target(target.pk)
    if old.user_id is None and old.agent_id is None:
        raise Conflict("Nobody has begun this yet.")
    if lesson.withdrawn_at is not None:
        raise Conflict("This assignment was withdrawn.")
    (now,) = parts_of(old.organisation, old.flow, None, lesson.step_name if old.step_key else "")
    part = Part(old.flow, now.revision_id, old.position, now.step_key, now.step_name)
    end_targets([old], "restarted", by=by, reason=clean_text(reason).strip()[:MAX_NOTES])
    people = [old.user_id] if old.user_id else []
    agents = [old.agent_id] if old.agent_id else []
    made = add_targets(lesson, [part], people, agents, by)
    if not made:
        raise AlreadyAssigned
    return made[0]


def _hold(target: LessonTarget) -> Lesson:
    """Its lesson, locked before its target, as who withdraws it does: a row that is made meanwhile
    would not be withdrawn with the others."""
    return Lesson.objects.select_for_update(no_key=True).get(pk=target.lesson_id)


def _successor(old: LessonTarget, user: User | None, agent: Agent | None) -> LessonTarget:
    who = (user or agent).pk  # type: ignore[union-attr]
    last = last_attempts([old.flow_id], [who] if user else [], [who] if agent else [])
    return LessonTarget(
        organisation_id=old.organisation_id,
        lesson=old.lesson,
        flow=old.flow,
        revision_id=old.revision_id,
        step_key=old.step_key,
        position=old.position,
        user=user,
        agent=agent,
        attempt=last.get((who, old.flow_id, old.step_key), 0) + 1,
        # Days after the assignment are counted from the first one's.
        assigned_at=old.assigned_at,
        due_at=old.due_at,
        follow_up_at=old.follow_up_at,
        meta={"taken_over_from": str(old.pk)},
    )


def _copy(old: LessonTarget, new: LessonTarget, by: Actor, reason: str) -> None:
    """States, and the entries that make them: from Not Started to where each stands."""
    heir = {"user_id": new.user_id, "agent_id": new.agent_id}
    said = {"actor_type": by.type, "actor": by.user, "actor_agent": by.agent}
    base: dict[str, Any] = {
        "organisation_id": new.organisation_id,
        "target": new,
        "flow_id": new.flow_id,
        **heir,
        **said,
    }
    taken = f"Taken over from {old.assignee_name}."
    entries = [
        FlowProgress(**base, seq=1, kind=LogKind.ASSIGNED, notes=new.lesson.note),
        FlowProgress(**base, seq=2, kind=LogKind.REASSIGNED, notes=taken, reason=reason),
    ]
    names = dict(FlowStep.objects.filter(revision_id=old.revision_id).values_list("key", "name"))
    states = list(StepState.objects.filter(target=old).order_by("changed_at", "pk"))
    for state in states:
        if state.status == Status.NOT_STARTED:
            continue
        entries.append(
            FlowProgress(
                **base,
                seq=len(entries) + 1,
                kind=LogKind.STATUS,
                step_key=state.step_key,
                step_name=names.get(state.step_key, ""),
                from_status=Status.NOT_STARTED,
                status=state.status,
                reason=state.reason or reason,
                notes=taken,
            )
        )
    FlowProgress.objects.bulk_create(entries)
    StepState.objects.bulk_create(_copied(state, new) for state in states)
    # They are with both from now on: one of them may take a file out.
    use_files(new.organisation_id, [key for one in states for key in one.work.get("files", ())])
    new.seq = len(entries)
    LessonTarget.objects.filter(pk=new.pk).update(seq=new.seq, updated_at=timezone.now())


def _copied(state: StepState, new: LessonTarget) -> StepState:
    return StepState(
        organisation_id=new.organisation_id,
        target=new,
        step_key=state.step_key,
        status=state.status,
        version=state.version,
        started_at=state.started_at,
        completed_at=state.completed_at,
        changed_at=state.changed_at,
        changed_by_id=state.changed_by_id,
        changed_by_agent_id=state.changed_by_agent_id,
        due_at=state.due_at,
        reason=state.reason,
        notes=state.notes,
        work={key: value for key, value in state.work.items() if key not in OWN_WORK},
    )


def _tell_the_old(old: LessonTarget, new: LessonTarget, by: Actor) -> None:
    if old.user is not None:
        text = f"{new.assignee_name} goes on with “{old.flow.name}”."
        url = address_of(old.pk)
        kind = NoticeKind.REASSIGNED
        notify(old.organisation, [old.user], kind=kind, text=text, url=url, target=old, by=by.user)
