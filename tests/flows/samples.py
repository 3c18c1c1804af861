"""Flows for tests: short to write, published and ready to assign."""

from typing import Any

from flows_app.models import Flow, FlowStep, LessonTarget, Status, StepKind, StepState
from flows_app.runtime.actors import Actor
from flows_app.services.assigning import assign_lesson
from flows_app.services.flows import create_flow, publish_flow
from flows_app.services.progress import update_flow_progress
from flows_app.types import StepDraft
from one_project.accounts.models import User
from tests.people import World


def step(name: str, kind: str = StepKind.READING, **fields: Any) -> StepDraft:
    return StepDraft(name=name, kind=kind, **fields)


def make_flow(world: World, *steps: StepDraft | str, name: str = "Onboarding") -> Flow:
    """Published; a string is a reading step of that name, each open at once."""
    drafts = [step(one) if isinstance(one, str) else one for one in steps or ("Read", "Sign")]
    flow = create_flow(world.organisation, by=world.stella, name=name, steps=drafts)
    publish_flow(flow, by=world.stella)
    flow.refresh_from_db()
    return flow


def in_order(*names: str, **fields: Any) -> list[StepDraft]:
    """Reading steps, each waiting for the one before."""
    made: list[StepDraft] = []
    for name in names:
        before = (made[-1].key,) if made else ()
        made.append(step(name, prerequisites=before, **fields))
    return made


def assign(world: World, flow: Flow, user: User | None = None, **options: Any) -> LessonTarget:
    """To one person (Bob), by staff; their row."""
    made = assign_lesson(
        world.organisation,
        by=Actor(user=world.stella),
        flow=flow,
        user=user or world.bob,
        **options,
    )
    return LessonTarget.objects.select_related("organisation", "lesson", "flow", "revision").get(
        pk=made.targets[0].pk
    )


def steps(target: LessonTarget) -> dict[str, FlowStep]:
    return {one.name: one for one in target.revision.steps.all()}


def move(
    target: LessonTarget, name: str, status: str, by: User | Actor, **options: Any
) -> StepState:
    actor = by if isinstance(by, Actor) else Actor(user=by)
    return update_flow_progress(target, name, status, by=actor, **options)


def complete(target: LessonTarget, *names: str, by: User) -> None:
    for name in names:
        move(target, name, Status.COMPLETED, by)
