"""My work: what is urgent comes first, with what to do next, at a fixed price."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents_app.services.agents import create_agent
from flows_app.models import (
    LessonTarget,
    Resolution,
    Status,
    StepState,
    Submission,
    SubmissionStatus,
)
from flows_app.runtime.actors import Actor
from flows_app.services.assigning import assign_lesson
from flows_app.services.courses import create_course
from flows_app.services.my_work import MyWork, WorkFilter, my_work
from flows_app.services.reading import course_lock, lines_of, share_of_lines, shares_of
from flows_app.services.work_lines import WorkLine, lines_for
from one_project.accounts.models import User
from tests.flows.samples import assign, complete, in_order, make_flow, move, step, steps
from tests.people import World


def work(world: World, user: User | None = None, **asked: str) -> MyWork:
    return my_work(user or world.bob, world.organisation, WorkFilter(**asked))


def named(lines: list[WorkLine]) -> list[str]:
    return [line.target.flow.name for line in lines]


def test_each_assignment_stands_in_its_most_urgent_section(world: World) -> None:
    now = timezone.now()

    def given(name: str, days: int | None = None) -> LessonTarget:
        due = now + timedelta(days=days) if days is not None else None
        return assign(world, make_flow(world, "Read", "Sign", name=name), due_at=due)

    given("Late", -2)
    given("Soon", 3)
    given("Later", 30)
    move(given("Begun"), "Read", Status.IN_PROGRESS, world.bob)
    move(given("Stuck"), "Read", Status.BLOCKED, world.bob, reason="No key")
    complete(given("Finished", -1), "Read", "Sign", by=world.bob)
    found = work(world)
    assert {key: named(lines) for key, _, lines in found.sections} == {
        "overdue": ["Late"],
        "soon": ["Soon"],
        "blocked": ["Stuck"],
        "progress": ["Begun"],
        "new": ["Later"],
    }
    assert named(found.done) == ["Finished"]
    assert found.counts == {
        "all": 6, "overdue": 1, "soon": 1, "progress": 1, "blocked": 1, "waiting": 0,
        "new": 3, "done": 1, "take": 0,
    }  # fmt: skip
    stuck = next(line for line in found.lines if line.section == "blocked")
    assert (stuck.blocked, stuck.next_step) == ((("Read", "No key"),), steps(stuck.target)["Sign"])


def test_the_next_step_is_what_can_be_done_now(world: World) -> None:
    target = assign(world, make_flow(world, *in_order("Tour", "Safety"), "Extra"))

    def next_name() -> str | None:
        (line,) = work(world).lines
        return line.next_step.name if line.next_step else None

    assert next_name() == "Tour"
    move(target, "Extra", Status.IN_PROGRESS, world.bob)
    assert next_name() == "Extra"  # what was begun comes first
    complete(target, "Extra", "Tour", by=world.bob)
    assert next_name() == "Safety"
    complete(target, "Safety", by=world.bob)
    assert next_name() is None


def test_what_waits_for_a_review_and_what_was_sent_back_say_so(world: World) -> None:
    target = assign(world, make_flow(world, step("Essay", needs_review=True)))
    waiting = Submission.objects.create(
        organisation=world.organisation, target=target, step_key=steps(target)["Essay"].key,
        number=1, status=SubmissionStatus.AWAITING_REVIEW, user=world.bob,
    )  # fmt: skip
    (line,) = work(world, status="waiting").lines
    assert (line.section, line.waiting, line.next_step) == ("waiting", ("Essay",), None)
    waiting.status = SubmissionStatus.REJECTED
    waiting.save()
    (line,) = work(world).lines
    assert (line.waiting, line.sent_back) == ((), ("Essay",))
    assert line.next_step is not None


def test_a_date_of_a_step_counts_until_the_step_is_done(world: World) -> None:
    target = assign(world, make_flow(world, step("Read", due_days=2), "Sign"))
    (line,) = work(world).lines
    assert (line.due_at, line.is_soon) == (target.assigned_at + timedelta(days=2), True)
    complete(target, "Read", by=world.bob)
    (line,) = work(world).lines
    assert (line.due_at, line.is_soon) == (None, False)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"text": "onb"}, ["Onboarding"]),
        ({"text": "sign"}, ["Safety"]),  # the next step
        ({"due": "overdue"}, ["Safety"]),
        ({"due": "none"}, ["Onboarding"]),
        ({"status": "In Progress"}, ["Safety"]),
        ({"status": "take"}, []),
    ],
)
def test_filters_narrow_the_list(world: World, asked: dict[str, str], names: list[str]) -> None:
    assign(world, make_flow(world, "Read"))
    late = assign(
        world,
        make_flow(world, "Tour", "Sign", name="Safety"),
        due_at=timezone.now() - timedelta(days=1),
    )
    complete(late, "Tour", by=world.bob)
    assert named(work(world, **asked).lines) == names


def test_flows_of_a_course_in_order_wait_for_one_another(world: World) -> None:
    flows = [make_flow(world, "Read", name=name) for name in ("One", "Two", "Three")]
    course = create_course(world.organisation, by=world.stella, name="Start", flows=flows)
    assign_lesson(world.organisation, by=Actor(user=world.stella), course=course, user=world.bob)
    by_name = {line.target.flow.name: line for line in work(world).lines}
    assert [bool(by_name[name].next_step) for name in ("One", "Two", "Three")] == [
        True, False, False,
    ]  # fmt: skip
    for line in by_name.values():
        assert line.locked == course_lock(line.target)
    complete(by_name["One"].target, "Read", by=world.bob)
    for line in work(world).lines:
        assert line.locked == course_lock(line.target)


def test_queues_of_the_role_can_be_taken_by_its_people_only(world: World) -> None:
    assign_lesson(
        world.organisation,
        by=Actor(user=world.stella),
        flow=make_flow(world),
        role="member",
        resolution=Resolution.QUEUE,
    )
    assert [one.flow.name for one in work(world).to_take] == ["Onboarding"]
    assert work(world).counts["take"] == 1
    assert work(world, world.adam).to_take == []


def test_work_of_own_agents_is_shown_apart(world: World) -> None:
    diary = create_agent(world.organisation, name="Diary", created_by=world.bob)
    assign_lesson(
        world.organisation, by=Actor(user=world.stella), flow=make_flow(world), agent=diary
    )
    found = work(world)
    assert (found.lines, named(found.agents), found.counts["all"]) == ([], ["Onboarding"], 0)
    assert work(world, world.adam).agents == []


def test_work_of_another_organisation_is_not_here(world: World) -> None:
    assign(world, make_flow(world))
    elsewhere = my_work(world.bob, world.elsewhere, WorkFilter())
    assert (elsewhere.lines, elsewhere.to_take) == ([], [])


def test_the_number_of_queries_does_not_grow_with_the_work(world: World) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert work(world).lines
        return len(captured)

    target = assign(world, make_flow(world, *in_order("Tour", "Sign")))
    complete(target, "Tour", by=world.bob)
    one = cost()
    for number in range(6):
        flow = make_flow(world, *in_order("Tour", "Sign"), name=f"Flow {number}")
        complete(assign(world, flow), "Tour", by=world.bob)
    assert cost() == one


def test_a_state_saved_past_the_services_gives_the_same_percent_everywhere(world: World) -> None:
    """Nothing stores a percentage: what a script or the back office writes shows at once."""
    target = assign(world, make_flow(world, "Read", "Sign"))
    move(target, "Read", Status.IN_PROGRESS, world.bob)
    StepState.objects.filter(target=target).update(
        status=Status.COMPLETED, completed_at=timezone.now()
    )
    (line,) = work(world).lines
    (of_rows,) = lines_for(LessonTarget.objects.filter(pk=target.pk))
    assert {
        line.share.percent,
        of_rows.share.percent,
        share_of_lines(lines_of(target)).percent,
        shares_of([target])[target.pk].percent,
    } == {50}
