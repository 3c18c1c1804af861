"""Steps that agents do: asked for, worked on by a durable workflow, put before staff as a draft.

A submission is the request; the workflow ``flows.do_agent_task`` (``flows_app.worker``) carries it
out. It is begun in the transaction of the request and survives whatever happens to its workers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents_app.models import Agent, AICall
from agents_app.runtime.agent import agent_of
from agents_app.runtime.store import thread_store
from flows_app.conf import MAX_CONTENT
from flows_app.errors import LessonNotFound, StepLocked
from flows_app.live.announce import announce_flows
from flows_app.models import (
    FlowStep,
    LessonTarget,
    Status,
    StepKind,
    Submission,
    SubmissionStatus,
)
from flows_app.runtime.actors import Actor
from flows_app.runtime.notes import answers_text, task_prompt
from flows_app.runtime.progress import waits_for, why_locked
from flows_app.runtime.transitions import DONE
from flows_app.services.log import lock_target, state_of
from flows_app.services.progress import find_step, update_flow_progress
from flows_app.services.reading import course_lock, states_by_key, statuses_of, steps_of
from flows_app.services.review_notices import tell_reviewers
from flows_app.services.rights import may_begin
from one_project.common.errors import AppError, Conflict, InvalidInput
from one_project.common.text import clean_text
from one_project.workflows.definitions import find_workflow, step
from one_project.workflows.services.starting import start
from one_project.workflows.types import Result

WORKFLOW = "flows.do_agent_task"
FAILED = "The agent could not do this."


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the workflow has an agent do, and where it is kept."""

    organisation_id: UUID
    agent_id: UUID
    thread_id: UUID
    prompt: str


@transaction.atomic
def request_agent_task(
    target: LessonTarget, step: FlowStep | UUID | str, *, by: Actor
) -> Submission:
    """Have the step's agent do it: the request and its workflow, or the one that runs already.

    What staff have sent back goes into the new try. Raises LessonNotFound for whom it is no
    business of, InvalidInput without an agent, StepLocked, Conflict where the step is done or
    blocked, or its draft is waiting for a review.
    """
    locked = lock_target(target.pk)
    steps = steps_of(locked)
    found = find_step(steps, step)
    if not may_begin(locked, by):
        raise LessonNotFound
    agent = agent_for(locked, found)
    state = state_of(locked, found)
    if state.status in DONE or state.status == Status.BLOCKED:
        raise Conflict(f"This step is {state.status}: open it again first.")
    if why := _why_locked(locked, steps, found):
        raise StepLocked(why)
    rows = Submission.objects.filter(target=locked, step_key=found.key)
    waiting = rows.open().first()
    if waiting is not None:
        if waiting.status == SubmissionStatus.AWAITING_REVIEW:
            raise Conflict("A draft is waiting for a review already.")
        return waiting
    last = rows.order_by("-number").first()
    number = (rows.aggregate(last=Max("number"))["last"] or 0) + 1
    prompt = task_prompt(
        found,
        flow=locked.flow.name,
        who=locked.assignee_name,
        material=_material(locked, steps, found),
        last_draft=last.draft if last else "",
        feedback=last.feedback if last and last.status == SubmissionStatus.REJECTED else "",
    )
    return _begin(locked, found, agent, prompt, number=number, version=state.version, by=by)


def agent_for(target: LessonTarget, step: FlowStep) -> Agent:
    """Who does it: the step's agent, or the one it was assigned to. Raises InvalidInput."""
    if step.kind != StepKind.AGENT_TASK:
        raise InvalidInput("This step is not one that an agent does.")
    agent = step.agent or target.agent
    if agent is None or not agent.is_active or agent.organisation_id != target.organisation_id:
        raise InvalidInput("This step has no agent that could do it. Please ask staff.")
    return agent


def _why_locked(target: LessonTarget, steps: Sequence[FlowStep], step: FlowStep) -> str:
    statuses = statuses_of([target])[target.pk]
    return course_lock(target) or why_locked(waits_for(step, steps, statuses))


def _material(
    target: LessonTarget, steps: Sequence[FlowStep], step: FlowStep
) -> list[tuple[str, str]]:
    """What people have answered and what agents have written in the steps this one waits for."""
    before = [one for one in steps if one.key in set(step.prerequisites)]
    if not before:
        return []
    states = states_by_key(target)
    finals = dict(
        Submission.objects.filter(
            target=target,
            step_key__in=[one.key for one in before],
            status__in=[SubmissionStatus.APPROVED, SubmissionStatus.EDITED],
        )
        .order_by("number")
        .values_list("step_key", "final")
    )
    found = []
    for one in before:
        state = states.get(one.key)
        text = finals.get(one.key) or (answers_text(one, state.work) if state else "")
        if text:
            found.append((one.name, text))
    return found


def _begin(
    target: LessonTarget,
    step: FlowStep,
    agent: Agent,
    prompt: str,
    *,
    number: int,
    version: int,
    by: Actor,
) -> Submission:
    made = Submission.objects.create(
        organisation_id=target.organisation_id,
        target=target,
        step_key=step.key,
        number=number,
        status=SubmissionStatus.QUEUED,
        state_version=version,
        agent=agent,
        requested_by=by.user,
        task=prompt,
    )
    # Without a person: what an agent does in a step has nobody's rights but the organisation's,
    # and a draft is shown to staff before anybody else.
    made.run = start(
        find_workflow(WORKFLOW),
        made.pk,
        organisation=target.organisation,
        key=f"submission:{made.pk}",
        on_complete=agent_task_over,
        context={"submission": str(made.pk)},
    )
    made.save(update_fields=["run", "updated_at"])
    announce_flows(target.organisation_id, [target.user_id])
    return made


@transaction.atomic
def begin_task(submission_id: UUID) -> Task | None:
    """The agent begins: the step is In Progress. None where nobody wants it any more."""
    found = _submission(submission_id)
    if found is None or found.agent is None or found.status != SubmissionStatus.QUEUED:
        return None
    try:
        target = lock_target(found.target_id)
        step = find_step(steps_of(target), found.step_key)
    except AppError:
        _expire(found)
        return None
    state = state_of(target, step)
    if state.status == Status.NOT_STARTED:
        by = Actor(user=found.requested_by, agent=found.agent)
        state = update_flow_progress(target, step, Status.IN_PROGRESS, by=by, submission=found)
    # As a step of a workflow this is done once: so is the thread.
    thread_id = thread_store().create_thread(
        target.organisation,
        user=None,
        agent=agent_of(found.agent),
        title=f"{target.flow.name}: {step.name}"[:120],
    )
    begun = Submission.objects.filter(pk=found.pk, status=SubmissionStatus.QUEUED).update(
        status=SubmissionStatus.RUNNING,
        state_version=state.version,
        thread_id=thread_id,
        updated_at=timezone.now(),
    )
    if not begun:
        return None
    announce_flows(target.organisation_id, [target.user_id])
    return Task(
        organisation_id=target.organisation_id,
        agent_id=found.agent.pk,
        thread_id=thread_id,
        prompt=found.task,
    )


@transaction.atomic
def keep_draft(submission_id: UUID, text: str) -> bool:
    """Put what the agent has written before staff. False where nobody wants it any more.

    Raises InvalidInput for a draft without a word.
    """
    draft = clean_text(text).strip()[:MAX_CONTENT]
    if not draft:
        raise InvalidInput("The agent has written nothing.")
    found = _submission(submission_id)
    if found is None:
        return False
    lock_target(found.target_id, must_be_active=False)
    now = timezone.now()
    kept = Submission.objects.filter(pk=found.pk, status=SubmissionStatus.RUNNING).update(
        status=SubmissionStatus.AWAITING_REVIEW, draft=draft, submitted_at=now, updated_at=now
    )
    _attribute(found)
    if kept:
        found.refresh_from_db()
        tell_reviewers(found)
        announce_flows(found.organisation_id, [found.target.user_id])
    return bool(kept)


@step(name="flows.agent_task_over", kind="transaction")
def agent_task_over(result: Result, context: dict[str, Any]) -> None:
    """The workflow has ended: where no draft has come of it, the request says why."""
    found = _submission(UUID(context["submission"]))
    if found is None or result.kind == "success":
        return
    why = "It was canceled." if result.kind == "canceled" else result.error
    failed = Submission.objects.filter(
        pk=found.pk, status__in=[SubmissionStatus.QUEUED, SubmissionStatus.RUNNING]
    ).update(
        status=SubmissionStatus.FAILED,
        error=clean_text(why)[:2_000] or FAILED,
        updated_at=timezone.now(),
    )
    _attribute(found)
    if failed:
        announce_flows(found.organisation_id, [found.target.user_id])


def _attribute(found: Submission) -> None:
    """Tokens and cost of all model calls it took, failed ones included: those of its thread."""
    if found.thread_id is None:
        return
    calls = AICall.objects.filter(organisation_id=found.organisation_id, thread_id=found.thread_id)
    spent = calls.aggregate(
        tokens=Coalesce(Sum("input_tokens"), 0) + Coalesce(Sum("output_tokens"), 0),
        cost=Sum("cost_micros"),
    )
    Submission.objects.filter(pk=found.pk).update(tokens=spent["tokens"], cost=spent["cost"])


def _submission(key: UUID) -> Submission | None:
    rows = Submission.objects.select_related("target__organisation", "agent", "requested_by")
    return rows.filter(pk=key).first()


def _expire(found: Submission) -> None:
    rows = Submission.objects.open().filter(pk=found.pk)
    rows.update(status=SubmissionStatus.EXPIRED, updated_at=timezone.now())
