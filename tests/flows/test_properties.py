"""Whatever happens to a flow and to the work in it, in whatever order: the figures stay true.

Random programs add, drop and reorder steps in new revisions, move an assignment between revisions
(forwards and back) and move its steps, legally and not.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flows_app.models import Flow, FlowRevision, LessonTarget, Status, StepKind, StepState
from flows_app.runtime.actors import Actor
from flows_app.runtime.progress import replay
from flows_app.services.flows import drafts_of, publish_flow, save_draft
from flows_app.services.funnel import funnel_of
from flows_app.services.progress import update_flow_progress
from flows_app.services.publishing import move_targets
from flows_app.services.reading import lines_of, share_of_lines, shares_of
from flows_app.services.work_lines import lines_for
from flows_app.types import StepDraft
from one_project.common.errors import AppError
from tests.flows.samples import assign, make_flow, step
from tests.people import World

KINDS = (StepKind.READING, StepKind.CHECKLIST, StepKind.APPROVAL)
CHECKLIST = {"items": [{"id": "a", "text": "Keys"}]}


def new_step(name: str, chance: Random, before: list[StepDraft]) -> StepDraft:
    kind = chance.choice(KINDS)
    waits = chance.choice(before).key if before and chance.random() < 0.4 else None
    return step(
        name,
        kind,
        is_required=chance.random() < 0.7,
        prerequisites=(waits,) if waits else (),
        settings=CHECKLIST if kind == StepKind.CHECKLIST else {},
    )


def add_step(world: World, target: LessonTarget, chance: Random) -> None:
    republish(world, target.flow, lambda old: [*old, new_step(fresh_name(old), chance, old)])


def drop_step(world: World, target: LessonTarget, chance: Random) -> None:
    def dropped(old: list[StepDraft]) -> list[StepDraft]:
        gone = chance.choice(old)
        return [without(one, gone.key) for one in old if one.key != gone.key]

    republish(world, target.flow, dropped)


def reorder(world: World, target: LessonTarget, chance: Random) -> None:
    republish(world, target.flow, lambda old: chance.sample(old, len(old)))


def move_on(world: World, target: LessonTarget, chance: Random) -> None:
    """To any published revision, also an older one."""
    revision = chance.choice(list(target.flow.revisions.exclude(published_at=None)))
    move_targets(target.flow, revision, which="all", by=Actor(user=world.stella))


def update(world: World, target: LessonTarget, chance: Random) -> None:
    """Anybody says anything of any step, also of one that is not there any more."""
    keys = list(FlowRevision.objects.filter(flow=target.flow).values_list("steps__key", flat=True))
    who = chance.choice([world.bob, world.stella, world.stella])
    update_flow_progress(
        target,
        chance.choice(keys),
        chance.choice([*Status.values, Status.COMPLETED, Status.SKIPPED]),
        by=Actor(user=who),
        reason=chance.choice(["", "Because", "Because"]),
        version=chance.choice([None, None, 0]),
    )


def settle(world: World, target: LessonTarget, chance: Random) -> None:
    """Staff say of a step there is that it is done: the way to 100 %."""
    key = chance.choice(list(target.revision.steps.values_list("key", flat=True)))
    status = chance.choice([Status.COMPLETED, Status.SKIPPED])
    by = Actor(user=world.stella)
    update_flow_progress(target, key, status, by=by, reason="Seen it")


# How often each happens.
ACTS: dict[Callable[[World, LessonTarget, Random], None], int] = {
    add_step: 1, drop_step: 2, reorder: 1, move_on: 3, update: 4, settle: 5,
}  # fmt: skip


def republish(
    world: World, flow: Flow, change: Callable[[list[StepDraft]], list[StepDraft]]
) -> None:
    flow.refresh_from_db()
    save_draft(flow, by=world.stella, steps=change(drafts_of(flow.published)))
    publish_flow(flow, by=world.stella)
    flow.refresh_from_db()


def without(one: StepDraft, key: UUID) -> StepDraft:
    kept = tuple(each for each in one.prerequisites if each != key)
    return replace(one, prerequisites=kept)


def fresh_name(old: list[StepDraft]) -> str:
    taken = {one.name for one in old}
    return next(name for number in range(99) if (name := f"Step {number}") not in taken)


@pytest.mark.django_db
@settings(
    max_examples=6,
    phases=[Phase.generate],
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(chance=st.randoms(use_true_random=True))
def test_figures_and_log_stay_true_whatever_happens(world: World, chance: Random) -> None:
    savepoint = transaction.savepoint()
    target = assign(world, make_flow(world, "Read", "Sign", step("Extra", is_required=False)))
    for act in chance.choices(list(ACTS), weights=list(ACTS.values()), k=16):
        target = LessonTarget.objects.select_related("flow", "revision").get(pk=target.pk)
        try:
            with transaction.atomic():
                act(world, target, chance)
        except AppError:
            pass  # refused: then nothing has changed, which is checked like all else
        check(target.pk)
    transaction.savepoint_rollback(savepoint)


def check(target_id: UUID) -> None:
    target = LessonTarget.objects.select_related("flow__published", "lesson").get(pk=target_id)
    states = {one.step_key: one.status for one in StepState.objects.filter(target=target)}
    required = [one.key for one in target.revision.steps.all() if one.is_required]
    all_done = all(states.get(key) in {Status.COMPLETED, Status.SKIPPED} for key in required)
    lines = lines_of(target)
    share = share_of_lines(lines)
    assert 0 <= share.percent <= 100
    assert (share.percent == 100) == all_done == share.is_complete
    # Every page tells the same.
    (line,) = lines_for(LessonTarget.objects.filter(pk=target_id))
    assert line.share == shares_of([target])[target.pk] == share
    funnel = funnel_of(target.flow)
    assert (funnel.percent, funnel.complete) == (share.percent, int(all_done))
    for one in funnel.steps:
        assert 0 <= one.reached <= one.people <= 1
    entries = list(target.log.order_by("seq"))
    assert [one.seq for one in entries] == list(range(1, target.seq + 1))
    replayed = replay((one.step_key, one.from_status, one.status) for one in entries)
    assert replayed == {key: status for key, status in states.items() if key in replayed}
    assert all(states[key] == Status.NOT_STARTED for key in states.keys() - replayed.keys())
