"""People, a flow and how far everybody is, written directly."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from benchmarks.people import make_organisation

if TYPE_CHECKING:
    from flows_app.models import Flow, LessonTarget
    from one_project.accounts.models import Organisation, User

BATCH = 2_000
# Of a hundred steps that somebody has come by.
SHARES = {"Completed": 78, "Skipped": 7, "In Progress": 8, "Blocked": 7}


@dataclass(frozen=True, slots=True)
class Place:
    """An organisation with somebody of its staff, members of one role, and a flow."""

    organisation: "Organisation"
    staff: "User"
    flow: "Flow"


def make_place(name: str, *, people: int, steps: int) -> Place:
    from flows_app.models import StepKind
    from flows_app.services.flows import create_flow, publish_flow
    from flows_app.types import StepDraft
    from one_project.accounts.models import Membership, Role, User
    from one_project.accounts.services.organisations import add_member

    organisation = make_organisation(name)
    staff = User.objects.create_user(f"staff@{name}.test", None, name="Staff")
    add_member(organisation, user=staff, role=Role.STAFF)
    members = [
        User(email=f"{number:05}@{name}.test", name=f"Learner {number:05}", password="!")
        for number in range(people)
    ]
    User.objects.bulk_create(members, batch_size=BATCH)
    Membership.objects.bulk_create(
        [Membership(organisation=organisation, user=one, role=Role.MEMBER) for one in members],
        batch_size=BATCH,
    )
    drafts: list[StepDraft] = []
    for number in range(1, steps + 1):
        drafts.append(
            StepDraft(
                kind=StepKind.READING,
                name=f"Step {number}",
                content="What there is to know. " * 10,
                is_required=number % 8 != 0,
                due_days=7 + number if number % 2 else None,
                # Every tenth begins a part of its own.
                prerequisites=(drafts[-1].key,) if number % 10 != 1 else (),
            )
        )
    flow = create_flow(organisation, by=staff, name="Onboarding", steps=drafts)
    publish_flow(flow, by=staff)
    flow.refresh_from_db()
    return Place(organisation, staff, flow)


def assign_role(place: Place) -> "list[LessonTarget]":
    """To all members; their rows."""
    from flows_app.runtime.actors import Actor
    from flows_app.services.assigning import assign_lesson

    made = assign_lesson(
        place.organisation, by=Actor(user=place.staff), flow=place.flow, role="member"
    )
    return made.targets


def by_name(place: Place) -> "list[LessonTarget]":
    from flows_app.models import LessonTarget

    return list(LessonTarget.objects.filter(flow=place.flow).order_by("user__name"))


def make_progress(targets: "list[LessonTarget]", seed: int = 1) -> int:
    """Log and states as if everybody had come a random way; how many cells that is."""
    from django.utils import timezone

    from flows_app.models import ActorType, FlowProgress, FlowStep, LessonTarget, StepState

    rng = random.Random(seed)
    steps = list(FlowStep.objects.filter(revision=targets[0].revision_id).order_by("position"))
    now, states, log = timezone.now(), [], []
    for target in targets:
        seq = 1
        for step in steps[: rng.randint(0, len(steps))]:
            (status,) = rng.choices(list(SHARES), list(SHARES.values()))
            seq += 1
            at = now - timedelta(minutes=rng.randint(1, 40_000))
            states.append(
                StepState(
                    organisation_id=target.organisation_id,
                    target=target,
                    step_key=step.key,
                    status=status,
                    version=1,
                    started_at=at,
                    completed_at=at if status == "Completed" else None,
                    changed_at=at,
                    changed_by_id=target.user_id,
                    reason="Waiting for an answer" if status in {"Blocked", "Skipped"} else "",
                )
            )
            log.append(
                FlowProgress(
                    organisation_id=target.organisation_id,
                    target=target,
                    seq=seq,
                    flow_id=target.flow_id,
                    step_key=step.key,
                    step_name=step.name,
                    user_id=target.user_id,
                    actor_type=ActorType.USER,
                    actor_id=target.user_id,
                    from_status="Not Started",
                    status=status,
                    reason=states[-1].reason,
                )
            )
        target.seq = seq
    LessonTarget.objects.bulk_update(targets, ["seq"], batch_size=500)
    FlowProgress.objects.bulk_create(log, batch_size=BATCH)
    StepState.objects.bulk_create(states, batch_size=BATCH)
    return len(targets) * len(steps)
