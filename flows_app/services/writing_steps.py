"""The steps of a draft: written as a whole, read back, and checked before they are published."""

from collections.abc import Sequence

from agents_app.models import Agent
from flows_app.errors import InvalidSteps
from flows_app.models import FlowRevision, FlowStep, StepKind
from flows_app.runtime.drafts import check_steps
from flows_app.services.workflow_steps import flow_workflows
from flows_app.types import StepDraft
from one_project.accounts.models import User


def drafts_of(revision: FlowRevision) -> list[StepDraft]:
    """The steps of a revision, to change them or to write them into another one."""
    return [
        StepDraft(
            key=step.key,
            kind=step.kind,
            name=step.name,
            content=step.content,
            is_required=step.is_required,
            prerequisites=tuple(step.prerequisites),
            due_days=step.due_days,
            agent_id=step.agent_id,
            needs_review=step.needs_review,
            four_eyes=step.four_eyes,
            review_hours=step.review_hours,
            settings=step.settings,
        )
        for step in revision.steps.order_by("position")
    ]


def write_steps(
    draft: FlowRevision, steps: Sequence[StepDraft], by: User, *, trusted: bool = False
) -> None:
    """``trusted``: the steps were stored before, agents that have gone since stay empty places."""
    checked = check_steps(steps)
    if not trusted:
        _check_agents(draft, checked, by)
    draft.steps.all().delete()
    FlowStep.objects.bulk_create(
        FlowStep(
            organisation_id=draft.organisation_id,
            revision=draft,
            key=step.key,
            position=position,
            kind=step.kind,
            name=step.name,
            content=step.content,
            is_required=step.is_required,
            prerequisites=list(step.prerequisites),
            due_days=step.due_days,
            agent_id=step.agent_id,
            needs_review=step.needs_review,
            four_eyes=step.four_eyes,
            review_hours=step.review_hours,
            settings=step.settings,
        )
        for position, step in enumerate(checked)
    )


def check_ready(draft: FlowRevision) -> None:
    """Raises InvalidSteps where a step lacks what it needs, or what it names is gone."""
    steps = check_steps(drafts_of(draft), complete=True)
    off = {*draft.steps.filter(agent__is_active=False).values_list("key", flat=True)}
    problems = {
        step.key: f"“{step.name}”: its agent is switched off. Please choose another one."
        for step in steps
        if step.key in off
    }
    for step in steps:
        named = step.settings.get("workflow") if step.kind == StepKind.WORKFLOW else None
        if named and named not in dict(flow_workflows()):
            problems[step.key] = f"“{step.name}”: there is no workflow called “{named}”."
    if problems:
        raise InvalidSteps(problems)


def _check_agents(draft: FlowRevision, steps: Sequence[StepDraft], by: User) -> None:
    """New agents are those the person may use; one that the flow has already may stay."""
    wanted = {step.agent_id for step in steps if step.agent_id}
    if not wanted:
        return
    usable = Agent.objects.usable_by(by, draft.organisation).filter(pk__in=wanted)
    known = {*usable.values_list("pk", flat=True)}
    if wanted - known:
        there = FlowStep.objects.filter(revision__flow=draft.flow_id, agent__in=wanted - known)
        known |= {*there.values_list("agent_id", flat=True)}
    problems = {
        step.key: f"“{step.name}”: please choose an agent of this organisation."
        for step in steps
        if step.agent_id and step.agent_id not in known
    }
    if problems:
        raise InvalidSteps(problems)
