"""What everybody gets at the addresses of flows and lessons (see ``test_every_url``).

Each row: method, statuses for anonymous, outsider, member, staff, admin and owner, form. The
target, the comment and the notice are the member's; the submission is the member's, too.
"""

from typing import Any

LOGIN = 302
Rows = dict[str, tuple[str, tuple[int, ...], dict[str, str]]]

# Staff's pages: for members they do not exist; an outsider has an organisation of their own.
_STAFF = (LOGIN, 200, 404, 200, 200, 200)
_OF_STAFF = (LOGIN, 404, 404, 200, 200, 200)
_DONE_BY_STAFF = (LOGIN, 404, 404, 303, 303, 303)

AUTHORING: Rows = {
    # A member is led to their own work.
    "flows:list": ("get", (LOGIN, 200, 302, 200, 200, 200), {}),
    "flows:new": ("get", _STAFF, {}),
    "flows:import": ("get", _STAFF, {}),
    "flows:edit": ("get", _OF_STAFF, {}),
    "flows:edit_part": ("post", _OF_STAFF, {"do": "add:reading"}),
    # No step is open in the form.
    "flows:preview_step": ("post", (LOGIN, 404, 404, 422, 422, 422), {}),
    "flows:preview": ("get", _OF_STAFF, {}),
    # There is nothing to publish nor to throw away: back to the editor, or in words.
    "flows:publish": ("get", _DONE_BY_STAFF, {}),
    "flows:discard": ("post", (LOGIN, 404, 404, 422, 422, 422), {}),
    "flows:move": ("get", _OF_STAFF, {}),
    "flows:revisions": ("get", _OF_STAFF, {}),
    "flows:restore_revision": ("post", _DONE_BY_STAFF, {}),
    "flows:duplicate": ("post", _DONE_BY_STAFF, {}),
    "flows:archive": ("post", _DONE_BY_STAFF, {}),
    "flows:restore": ("post", _DONE_BY_STAFF, {}),
    "flows:export": ("get", _OF_STAFF, {}),
    "flows:courses": ("get", _STAFF, {}),
    "flows:new_course": ("get", _STAFF, {}),
    "flows:new_course_part": ("post", (LOGIN, 200, 404, 200, 200, 200), {}),
    "flows:course": ("get", _OF_STAFF, {}),
    "flows:course_part": ("post", _OF_STAFF, {"do": "add"}),
    "flows:archive_course": ("post", _DONE_BY_STAFF, {}),
    "flows:restore_course": ("post", _DONE_BY_STAFF, {}),
}

OVERVIEW: Rows = {
    "lessons:mine": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "lessons:mine_live": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "lessons:history": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "flows:flow": ("get", (LOGIN, 404, 404, 200, 200, 200), {}),
    "flows:funnel": ("get", (LOGIN, 404, 404, 200, 200, 200), {}),
    "flows:person": ("get", (LOGIN, 404, 404, 200, 200, 200), {}),
    "flows:person_live": ("get", (LOGIN, 404, 404, 200, 200, 200), {}),
    # The agent is the member's own, and has been given no work: staff do not know of it.
    "flows:agent_work": ("get", (LOGIN, 404, 404, 404, 404, 404), {}),
    "flows:agent_live": ("get", (LOGIN, 404, 404, 404, 404, 404), {}),
}

# A flow of the organisation, for its staff; the board is everybody's own.
BOARDS: Rows = {
    "flows:board": ("get", (LOGIN, 200, 404, 200, 200, 200), {}),
    # What no page has sent is answered with "load anew".
    "flows:board_part": ("get", (LOGIN, 204, 404, 204, 204, 204), {}),
    "flows:board_csv": ("get", (LOGIN, 200, 404, 200, 200, 200), {}),
    "flows:move_card": (
        "post",
        (LOGIN, 404, 404, 302, 302, 302),
        {"to": "In Progress", "version": "0"},
    ),
    "flows:pick_cell": ("get", (LOGIN, 404, 404, 404, 404, 404), {}),
    "flows:cell": ("get", (LOGIN, 404, 404, 200, 200, 200), {}),
    "flows:matrix": ("get", (LOGIN, 404, 404, 200, 200, 200), {}),
    "flows:matrix_part": ("get", (LOGIN, 404, 404, 200, 200, 200), {}),
    "flows:matrix_csv": ("get", (LOGIN, 404, 404, 200, 200, 200), {}),
}

ASSIGNING: Rows = {
    "flows:assign": ("get", _STAFF, {}),
    "flows:assign_steps": ("get", _STAFF, {}),
    "flows:assign_table": ("get", _STAFF, {}),
    "flows:bulk": ("get", _OF_STAFF, {}),
    "flows:bulk_csv": ("get", _OF_STAFF, {}),
    "flows:assignments": ("get", _STAFF, {}),
    "flows:assignment": ("get", _OF_STAFF, {}),
    "flows:withdraw": ("post", _DONE_BY_STAFF, {}),
    "flows:dates": ("get", _OF_STAFF, {}),
    "flows:resend": ("post", _DONE_BY_STAFF, {}),
    "flows:credit": ("get", _OF_STAFF, {}),
    "flows:give": ("get", _OF_STAFF, {}),
    "flows:restart": ("post", _DONE_BY_STAFF, {}),
    "flows:give_all": ("get", _OF_STAFF, {}),
    # It came from no queue.
    "lessons:unclaim": ("post", (LOGIN, 404, 409, 409, 409, 409), {}),
}

AGENTS: Rows = {
    # An outsider has reviews of their own organisation.
    "flows:reviews": ("get", (LOGIN, 200, 404, 200, 200, 200), {}),
    "flows:reviews_live": ("get", (LOGIN, 200, 404, 200, 200, 200), {}),
    "flows:review": ("get", (LOGIN, 404, 404, 200, 200, 200), {}),
    "flows:approve": ("post", (LOGIN, 404, 404, 303, 303, 303), {}),
    "flows:send_back": ("post", (LOGIN, 404, 404, 303, 303, 303), {"reason": "Too short"}),
    # What a person has handed in is sent back; only agents are asked again.
    "flows:ask_again": ("post", (LOGIN, 404, 404, 422, 422, 422), {"reason": "Too short"}),
    # The step is an essay of the member's: there is no agent to talk with, nor a workflow.
    "lessons:talk": ("post", (LOGIN, 404, 422, 403, 403, 403), {}),
    "lessons:ask_agent": ("post", (LOGIN, 404, 422, 422, 422, 422), {}),
    "lessons:run_workflow": ("post", (LOGIN, 404, 422, 422, 422, 422), {}),
}

TALK: Rows = {
    "lessons:comments": ("get", (LOGIN, 404, 200, 200, 200, 200), {}),
    "lessons:comment": ("get", (LOGIN, 404, 200, 200, 200, 200), {}),
    "lessons:delete_comment": ("post", (LOGIN, 404, 303, 303, 303, 303), {}),
    "lessons:notices": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "lessons:read_notices": ("post", (LOGIN, 303, 303, 303, 303, 303), {}),
    # The member's alone: what somebody is told is nobody else's business.
    "lessons:notice": ("get", (LOGIN, 404, 302, 404, 404, 404), {}),
    "lessons:read_notice": ("post", (LOGIN, 404, 303, 404, 404, 404), {}),
    "lessons:wishes": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
}

# Bob's assignment with a step that waits for a review; staff see it, but do not do it for him.
WORKING: Rows = {
    "lessons:player": ("get", (LOGIN, 404, 200, 200, 200, 200), {}),
    "lessons:step": ("get", (LOGIN, 404, 200, 200, 200, 200), {}),
    "lessons:step_live": ("get", (LOGIN, 404, 200, 200, 200, 200), {}),
    "lessons:claim": ("post", (LOGIN, 404, 303, 404, 404, 404), {}),
    # The step is neither a checklist, a form nor one that takes files.
    "lessons:tick": ("post", (LOGIN, 404, 422, 422, 422, 422), {}),
    "lessons:answers": ("post", (LOGIN, 404, 422, 422, 422, 422), {}),
    "lessons:draft": ("post", (LOGIN, 404, 422, 422, 422, 422), {}),
    "lessons:upload": ("post", (LOGIN, 404, 422, 422, 422, 422), {}),
    "lessons:file": ("get", (LOGIN, 404, 404, 404, 404, 404), {}),
    "lessons:remove_file": ("post", (LOGIN, 404, 409, 403, 403, 403), {}),
    "lessons:done": ("post", (LOGIN, 404, 303, 303, 303, 303), {}),
    "lessons:move": (
        "post",
        (LOGIN, 404, 303, 303, 303, 303),
        {"status": "Blocked", "reason": "Why"},
    ),
    "lessons:not_yet": ("post", (LOGIN, 404, 409, 403, 403, 403), {}),
    "lessons:take_back": ("post", (LOGIN, 404, 303, 409, 409, 409), {}),
    "lessons:step_due": ("post", (LOGIN, 404, 404, 303, 303, 303), {"due": "2027-12-01"}),
}

FLOW_ROWS: Rows = {
    **AUTHORING, **OVERVIEW, **BOARDS, **ASSIGNING, **AGENTS, **TALK, **WORKING
}  # fmt: skip


def made_by_staff_for_bob(world: Any) -> dict[str, Any]:
    """A course of a flow that waits for a review, assigned to Bob, with what people said of it."""
    from flows_app.models import (
        BulkAssignment,
        Comment,
        Notice,
        NoticeKind,
        Submission,
        SubmissionStatus,
    )
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
    bulk = BulkAssignment.objects.create(organisation=world.organisation)
    return {
        "bulk": bulk.pk,
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
