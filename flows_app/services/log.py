"""Adding to a target's log, and to the states it adds up to; the target's row is the lock."""

from typing import Any
from uuid import UUID

from django.utils import timezone

from flows_app.errors import LessonNotFound
from flows_app.live.announce import announce_flows
from flows_app.models import FlowProgress, FlowStep, LessonTarget, LogKind, Status, StepState
from flows_app.runtime.actors import Actor
from one_project.common.errors import Conflict


def lock_target(target_id: UUID, *, must_be_active: bool = True) -> LessonTarget:
    """The target, locked to the end of the transaction: changes of one come one after the other.

    Raises LessonNotFound, and Conflict where the assignment has ended.
    """
    found = (
        LessonTarget.objects.select_for_update(of=("self",), no_key=True)
        .select_related("organisation", "lesson", "flow", "user", "agent")
        .filter(pk=target_id)
        .first()
    )
    if found is None:
        raise LessonNotFound
    if must_be_active and found.ended_at is not None:
        raise Conflict(f"This assignment has ended ({found.ended}): it stays as it is.")
    return found


def add_entry(
    target: LessonTarget,
    kind: LogKind,
    by: Actor,
    *,
    step: FlowStep | None = None,
    request_id: str | None = None,
    **fields: Any,
) -> FlowProgress:
    """The next entry of a locked target's log; pages are told after the commit."""
    target.seq += 1
    LessonTarget.objects.filter(pk=target.pk).update(seq=target.seq, updated_at=timezone.now())
    entry = FlowProgress.objects.create(
        organisation_id=target.organisation_id,
        target=target,
        seq=target.seq,
        kind=kind,
        flow_id=target.flow_id,
        step_key=step.key if step else None,
        step_name=step.name if step else "",
        user_id=target.user_id,
        agent_id=target.agent_id,
        actor_type=by.type,
        actor=by.user,
        actor_agent=by.agent,
        request_id=request_id or None,
        **fields,
    )
    announce_flows(target.organisation_id, [target.user_id])
    return entry


def state_of(target: LessonTarget, step: FlowStep) -> StepState:
    """The state of a locked target's step; a new one is not saved yet."""
    found = (
        StepState.objects.select_related("changed_by", "changed_by_agent")
        .filter(target=target, step_key=step.key)
        .first()
    )
    return found or StepState(
        organisation_id=target.organisation_id, target=target, step_key=step.key
    )


def set_status(state: StepState, status: str, by: Actor, *, reason: str, notes: str) -> None:
    """Write the state after its entry; version and times go with it."""
    now = timezone.now()
    state.status, state.reason, state.notes = status, reason, notes
    state.version += 1
    state.changed_at, state.changed_by, state.changed_by_agent = now, by.user, by.agent
    if state.started_at is None and status in {Status.IN_PROGRESS, Status.COMPLETED}:
        state.started_at = now
    state.completed_at = now if status == Status.COMPLETED else None
    if status != Status.IN_PROGRESS:
        state.proposed = ""
    state.save()
