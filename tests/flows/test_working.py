"""What learners do in their steps: ticking, answering, handing in, and what is refused."""

from io import BytesIO
from typing import Any

import pytest

from agents_app.errors import InvalidFields, StoredFileNotFound
from agents_app.models import StoredFile
from flows_app.errors import (
    IllegalTransition,
    LessonNotFound,
    NotByHand,
    ReasonMissing,
    StaleProgress,
    StepLocked,
)
from flows_app.models import (
    FlowStep,
    LessonTarget,
    LogKind,
    Status,
    StepState,
    Submission,
    SubmissionStatus,
)
from flows_app.runtime.actors import Actor
from flows_app.services.handing_in import (
    file_of_step,
    files_of,
    hand_in_files,
    take_back,
    take_file_out,
)
from flows_app.services.reading import lines_of
from flows_app.services.step_due import set_step_due
from flows_app.services.working import (
    begin_step,
    mark_done,
    move_step,
    save_answers,
    save_draft_answers,
    tick_items,
)
from one_project.accounts.models import User
from one_project.common.errors import AccessDenied, Conflict, InvalidInput
from one_project.common.tenancy import in_tenant
from tests.flows.samples import assign, in_order, make_flow, move, step
from tests.people import World

ITEMS = {"items": [{"id": "a", "text": "Keys"}, {"id": "b", "text": "Badge"}]}
FIELDS = {
    "fields": [
        {"id": "name", "label": "Name", "type": "text", "required": True},
        {"id": "why", "label": "Why", "type": "long"},
        {"id": "age", "label": "Years", "type": "number", "required": True},
        {"id": "from", "label": "From", "type": "date"},
        {"id": "size", "label": "Size", "type": "choice", "choices": ["S", "M"]},
        {"id": "yes", "label": "Agreed", "type": "check", "required": True},
    ]
}
GOOD = {"name": "Learner", "age": "0", "from": "2026-05-31", "size": "M", "yes": "1"}


def one(
    world: World, kind: str, user: User | None = None, **fields: Any
) -> tuple[LessonTarget, FlowStep]:
    """A flow of one step of this kind, assigned to Bob."""
    target = assign(world, make_flow(world, step("It", kind, **fields)), user=user)
    return target, target.revision.steps.get()


def state_of(target: LessonTarget) -> StepState:
    return StepState.objects.get(target=target)


def upload(name: str = "essay.pdf", data: bytes = b"%PDF-1.4 text") -> tuple[str, BytesIO]:
    return name, BytesIO(data)


# Checklists


def test_the_last_tick_completes_a_checklist(world: World) -> None:
    target, it = one(world, "checklist", settings=ITEMS)
    bob = Actor(user=world.bob)
    state = tick_items(target, it, {"a": True}, by=bob)
    assert (state.status, state.work) == (Status.IN_PROGRESS, {"ticked": ["a"]})
    # A tick is no entry of the log; the status is.
    assert target.log.filter(kind=LogKind.STATUS).count() == 1
    assert tick_items(target, it, {"b": True}, by=bob).status == Status.COMPLETED
    with pytest.raises(StaleProgress, match="Bob has set this step to Completed"):
        tick_items(target, it, {"a": False}, by=bob)


def test_a_reviewed_checklist_is_handed_in_and_an_unknown_item_refused(world: World) -> None:
    target, it = one(world, "checklist", settings=ITEMS, needs_review=True)
    bob = Actor(user=world.bob)
    with pytest.raises(InvalidInput):
        tick_items(target, it, {"z": True}, by=bob)
    tick_items(target, it, {"a": True}, by=bob)
    with pytest.raises(NotByHand, match="Still to tick: Badge"):
        mark_done(target, it, by=bob)
    assert tick_items(target, it, {"b": True}, by=bob).status == Status.IN_PROGRESS
    mark_done(target, it, by=bob)
    assert Submission.objects.get().draft == "- [x] Keys\n- [x] Badge"


def test_nobody_else_works_on_it_and_a_locked_step_says_why(world: World) -> None:
    drafts = in_order("Tour", "Safety")
    target = assign(world, make_flow(world, *drafts))
    tour, safety = target.revision.steps.order_by("position")
    with pytest.raises(AccessDenied):
        begin_step(target, tour, by=Actor(user=world.stella))
    with pytest.raises(LessonNotFound):
        begin_step(target, tour, by=Actor(user=world.charlie))
    with pytest.raises(StepLocked, match="Opens when “Tour” is done"):
        begin_step(target, safety, by=Actor(user=world.bob))
    assert begin_step(target, tour, by=Actor(user=world.bob)).status == Status.IN_PROGRESS


# Forms


def test_a_form_is_kept_as_a_draft_and_completed_when_sent(world: World) -> None:
    target, it = one(world, "form", settings=FIELDS)
    bob = Actor(user=world.bob)
    saved = save_draft_answers(target, it, {"name": " Learner ", "age": "many"}, by=bob)
    assert saved.problems == {"age": "Please give a number, such as 12.5."}
    assert (saved.state.status, saved.state.work["answers"]) == ("In Progress", {"name": "Learner"})
    state = save_answers(target, it, GOOD, by=bob, submit=True, request_id="r1")
    assert state.status == Status.COMPLETED
    assert state.work["answers"] == {
        "name": "Learner",
        "age": 0,
        "from": "2026-05-31",
        "size": "M",
        "yes": True,
    }
    # The same request again is the same one.
    assert save_answers(target, it, GOOD, by=bob, submit=True, request_id="r1").pk == state.pk


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "Please fill this in."),
        ("yes", "", "Please tick this."),
        ("age", "nan", "not as large"),
        ("age", "1e99999", "not as large"),
        ("age", "x" * 99, "Please give a number"),
        ("from", "31 May", "Please give a date"),
        ("size", "XXL", "choose one of these"),
        ("why", "x" * 20_001, "At most 20,000"),
    ],
)
def test_what_is_no_answer_is_told_beside_its_field(
    world: World, field: str, value: str, message: str
) -> None:
    target, it = one(world, "form", settings=FIELDS)
    with pytest.raises(InvalidFields) as raised:
        save_answers(target, it, {**GOOD, field: value}, by=Actor(user=world.bob), submit=True)
    assert list(raised.value.fields) == [field]
    assert message in raised.value.fields[field]
    assert not StepState.objects.exists()


def test_an_older_page_does_not_write_over_a_newer_one(world: World) -> None:
    target, it = one(world, "form", settings=FIELDS)
    bob = Actor(user=world.bob)
    # One page saves again and again, whatever version it shows meanwhile.
    for name in ("A", "B"):
        save_draft_answers(target, it, {"name": name}, by=bob, version=0, page="one")
    with pytest.raises(StaleProgress, match="You have, in another window, worked"):
        save_draft_answers(target, it, {"name": "C"}, by=bob, version=0, page="two")
    assert state_of(target).work["answers"] == {"name": "B"}
    # A status set by somebody else makes all pages stale; own saves do not stand in its way.
    move_step(target, it, Status.BLOCKED, by=bob, reason="Stuck", version=0)
    move(target, "It", Status.IN_PROGRESS, world.stella)
    with pytest.raises(StaleProgress, match="Stella has set this step to In Progress"):
        save_draft_answers(target, it, {"name": "D"}, by=bob, version=3, page="one")


def test_staff_are_told_that_the_learner_went_on_working(world: World) -> None:
    target, it = one(world, "checklist", settings=ITEMS)
    tick_items(target, it, {"a": True}, by=Actor(user=world.bob))
    with pytest.raises(StaleProgress, match="Bob has worked on this step"):
        move_step(
            target, it, Status.SKIPPED, by=Actor(user=world.stella), reason="Enough", version=0
        )


# Handing in


def test_what_is_reviewed_is_handed_in_and_replaced_by_a_second_try(world: World) -> None:
    target, it = one(world, "form", settings=FIELDS, needs_review=True)
    bob = Actor(user=world.bob)
    for _ in range(2):
        state = save_answers(target, it, GOOD, by=bob, submit=True, notes="Please", request_id="1")
    first = Submission.objects.get()
    assert (state.status, first.status) == (Status.IN_PROGRESS, SubmissionStatus.AWAITING_REVIEW)
    assert (first.number, first.user, first.state_version) == (1, world.bob, state.version)
    assert "**Years**\n\n0" in first.draft
    assert first.draft.endswith("Please")
    assert target.log.filter(kind=LogKind.REVIEW, reason="Handed in").count() == 1
    # What waits is not changed under the reviewer's eyes.
    with pytest.raises(Conflict, match="Take it back"):
        save_draft_answers(target, it, {"name": "X"}, by=bob)
    mark_done(target, it, by=bob, notes="Again")
    assert list(Submission.objects.order_by("number").values_list("status", flat=True)) == [
        SubmissionStatus.EXPIRED,
        SubmissionStatus.AWAITING_REVIEW,
    ]
    take_back(target, it, by=bob)
    assert not Submission.objects.open().exists()
    save_draft_answers(target, it, {"name": "X"}, by=bob)
    with pytest.raises(Conflict):
        take_back(target, it, by=bob)


def test_approval_is_asked_for_and_agents_tasks_are_not_handed_in(world: World) -> None:
    target, it = one(world, "approval")
    mark_done(target, it, by=Actor(user=world.bob), notes="The budget")
    assert Submission.objects.get().draft == "The budget"
    settings = {"task": "Write it"}
    flow = make_flow(
        world, step("It", "agent_task", settings=settings, agent_id=world.agent.pk), name="B"
    )
    other = assign(world, flow)
    with pytest.raises(NotByHand, match="An agent does this step"):
        mark_done(other, other.revision.steps.get(), by=Actor(user=world.bob))


def test_a_blocked_or_completed_step_is_not_handed_in(world: World) -> None:
    target, it = one(world, "reading", needs_review=True)
    bob = Actor(user=world.bob)
    move_step(target, it, Status.BLOCKED, by=bob, reason="No access")
    with pytest.raises(IllegalTransition):
        mark_done(target, it, by=bob)
    move_step(target, it, Status.IN_PROGRESS, by=bob)
    move(target, "It", Status.COMPLETED, world.stella)
    with pytest.raises(IllegalTransition):
        mark_done(target, it, by=bob)


# Files


def test_files_are_kept_counted_and_only_for_assignee_and_staff(world: World) -> None:
    settings = {"accept": [".pdf"], "max_files": 2}
    target, it = one(world, "file", settings=settings)
    bob = Actor(user=world.bob)
    with pytest.raises(InvalidInput, match=r"please choose \.pdf"):
        hand_in_files(target, it, [upload("run.exe", b"MZ")], by=bob)
    with pytest.raises(InvalidInput, match="2 files at most"):
        hand_in_files(target, it, [upload(f"{n}.pdf", b"%d" % n) for n in range(3)], by=bob)
    assert not StepState.objects.exists()
    hand_in_files(target, it, [upload("a.pdf"), upload("b.pdf")], by=bob)
    state = state_of(target)
    rows = files_of(target, state.work)
    assert [(row.filename, row.refcount) for row in rows] == [("a.pdf", 1), ("b.pdf", 1)]
    take_file_out(target, it, rows[0].pk, by=bob)
    with in_tenant(world.organisation.pk):
        assert StoredFile.objects.get(pk=rows[0].pk).refcount == 0
    for person in (world.bob, world.stella):
        assert file_of_step(target, it, rows[1].pk, user=person).filename == "b.pdf"
    with pytest.raises(StoredFileNotFound):
        file_of_step(target, it, rows[0].pk, user=world.bob)
    with pytest.raises(LessonNotFound):
        file_of_step(target, it, rows[1].pk, user=world.charlie)
    assert state_of(target).status == Status.IN_PROGRESS
    assert mark_done(target, it, by=bob).status == Status.COMPLETED
    with pytest.raises(StaleProgress):
        take_file_out(target, it, rows[1].pk, by=bob)


def test_a_file_that_was_handed_in_stays_with_what_was_handed_in(world: World) -> None:
    target, it = one(world, "file", settings={"max_files": 1}, needs_review=True)
    bob = Actor(user=world.bob)
    with pytest.raises(NotByHand, match="hand in a file first"):
        mark_done(target, it, by=bob)
    hand_in_files(target, it, [upload()], by=bob)
    mark_done(target, it, by=bob)
    (row,) = files_of(target, state_of(target).work)
    assert row.refcount == 2
    take_back(target, it, by=bob)
    take_file_out(target, it, row.pk, by=bob)
    assert file_of_step(target, it, row.pk, user=world.stella).refcount == 1


# Moving


def test_blocking_and_skipping_say_why(world: World) -> None:
    flow = make_flow(world, "Read", step("Extra", is_required=False))
    target = assign(world, flow)
    read, extra = target.revision.steps.order_by("position")
    bob = Actor(user=world.bob)
    with pytest.raises(ReasonMissing):
        move_step(target, read, Status.BLOCKED, by=bob, reason=" ")
    assert move_step(target, read, Status.BLOCKED, by=bob, reason="No access").reason == "No access"
    assert move_step(target, read, Status.IN_PROGRESS, by=bob).status == Status.IN_PROGRESS
    with pytest.raises(AccessDenied):
        move_step(target, read, Status.SKIPPED, by=bob, reason="Later")
    skipped = move_step(target, extra, Status.SKIPPED, by=bob, reason="Knows it")
    assert skipped.status == Status.SKIPPED


def test_an_ended_assignment_stays_as_it_is(world: World) -> None:
    target, it = one(world, "checklist", settings=ITEMS)
    assign(world, target.flow, restart=True)
    with pytest.raises(Conflict, match="has ended"):
        tick_items(target, it, {"a": True}, by=Actor(user=world.bob))


def test_staff_set_when_a_step_is_due_and_the_log_says_so(world: World) -> None:
    target, it = one(world, "reading", due_days=3)
    due = lines_of(target)[0].due_at
    with pytest.raises(LessonNotFound):
        set_step_due(target, it, target.assigned_at, by=Actor(user=world.bob))
    set_step_due(target, it, target.assigned_at, by=Actor(user=world.stella))
    assert lines_of(target)[0].due_at == target.assigned_at
    set_step_due(target, it, None, by=Actor(user=world.stella))
    assert lines_of(target)[0].due_at == due
    assert target.log.filter(kind=LogKind.DUE).count() == 2
