"""What an organisation has of flows and lessons: one of everything that has an address."""

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from benchmarks.tenancy.side import Side


def given_work(side: "Side") -> dict[str, UUID]:
    """A flow in a course, assigned to the member, who has handed in, asked and been told."""
    from flows_app.models import BulkAssignment, Comment, Notice, StepKind, Submission
    from flows_app.runtime.actors import Actor
    from flows_app.services.assigning import assign_lesson
    from flows_app.services.comments import comment
    from flows_app.services.courses import create_course
    from flows_app.services.flows import create_flow, publish_flow
    from flows_app.services.working import mark_done
    from flows_app.types import StepDraft

    place, marker = side.organisation, side.marker
    staff, member = side.people["staff"], side.people["member"]
    steps = [
        StepDraft(kind=StepKind.READING, name=f"Essay {marker}", content=marker, needs_review=True),
        StepDraft(kind=StepKind.READING, name=f"Read {marker}", content=marker),
    ]
    flow = create_flow(place, by=staff, name=f"Start {marker}", description=marker, steps=steps)
    revision = publish_flow(flow, by=staff)
    flow.refresh_from_db()
    course = create_course(place, by=staff, name=f"Weeks {marker}", flows=[flow])
    given = assign_lesson(place, by=Actor(user=staff), flow=flow, user=member, note=marker)
    [target] = given.targets
    step = revision.steps.order_by("position")[0]
    mark_done(target, step, by=Actor(user=member), notes=f"Written for {marker}")
    said = comment(target, by=Actor(user=member), text=f"Why {marker}?")
    assert isinstance(said, Comment)
    bulk = BulkAssignment.objects.create(
        organisation=place,
        requested_by=staff,
        request_id=f"bulk-{marker}",
        results=[[1, "unknown", f"Nobody is {marker}", f"nobody@{marker}.test"]],
        status="done",
        total=1,
        done=1,
        failed=1,
    )
    return {
        "flow_id": flow.pk,
        "revision_id": revision.pk,
        "course_id": course.pk,
        "lesson_id": given.lesson.pk,
        "target_id": target.pk,
        "step_key": step.key,
        "submission_id": Submission.objects.get(target=target).pk,
        "comment_id": said.pk,
        "notice_id": Notice.objects.filter(organisation=place, user=member).first().pk,
        "bulk_id": bulk.pk,
    }
