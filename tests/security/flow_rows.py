"""What everybody gets at the addresses of flows and lessons (see ``test_every_url``).

Each row: method, statuses for anonymous, outsider, member, staff, admin and owner, form. The
target, the comment and the notice are the member's; the submission is the member's, too.
"""

from typing import Any

LOGIN = 302
Rows = dict[str, tuple[str, tuple[int, ...], dict[str, str]]]

AUTHORING: Rows = {}

OVERVIEW: Rows = {}

BOARDS: Rows = {}

ASSIGNING: Rows = {}

AGENTS: Rows = {}

TALK: Rows = {}

WORKING: Rows = {}

FLOW_ROWS: Rows = {
    **AUTHORING, **OVERVIEW, **BOARDS, **ASSIGNING, **AGENTS, **TALK, **WORKING
}  # fmt: skip


def made_by_staff_for_bob(world: Any) -> dict[str, Any]:
    """A course of a flow that waits for a review, assigned to Bob, with what people said of it."""
    from flows_app.models import Comment, Notice, NoticeKind, Submission, SubmissionStatus
    from flows_app.services.courses import create_course
    from tests.flows.samples import assign, make_flow, step

    flow = make_flow(world, step("Essay", needs_review=True), "Read")
    target = assign(world, flow)
    key = target.revision.steps.get(name="Essay").key
    course = create_course(world.organisation, by=world.stella, name="Start", flows=[flow])
    waiting = Submission.objects.create(
        organisation=world.organisation,
        target=target,
        step_key=key,
        number=1,
        status=SubmissionStatus.AWAITING_REVIEW,
        user=world.bob,
        draft="My essay",
        submitted_at=target.assigned_at,
    )
    comment = Comment.objects.create(
        organisation=world.organisation, target=target, author=world.bob, text="A question"
    )
    notice = Notice.objects.create(
        organisation=world.organisation,
        user=world.bob,
        kind=NoticeKind.REMINDER,
        text="Due tomorrow",
        url="/lessons/",
    )
    return {
        "flow": flow.pk,
        "revision": flow.published_id,
        "course": course.pk,
        "lesson": target.lesson_id,
        "target": target.pk,
        "step_key": key,
        "submission": waiting.pk,
        "comment": comment.pk,
        "notice": notice.pk,
    }
