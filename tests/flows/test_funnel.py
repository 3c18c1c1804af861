"""The funnel of a flow counts what is there, over the steps that are published now."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from flows_app.models import LessonTarget, Resolution, Status, StepState
from flows_app.runtime.actors import Actor
from flows_app.runtime.funnel import Funnel, in_words
from flows_app.services.assigning import assign_lesson
from flows_app.services.flows import drafts_of, publish_flow, save_draft
from flows_app.services.funnel import funnel_of
from flows_app.services.publishing import move_targets
from flows_app.services.reading import shares_of
from flows_app.services.work_lines import lines_for
from tests.flows.samples import assign, complete, make_flow, move, step
from tests.people import World


def counted(funnel: Funnel, name: str) -> tuple[int, ...]:
    """(people, reached, completed, in progress, blocked, skipped) of a step."""
    one = next(one for one in funnel.steps if one.step.name == name)
    return one.people, one.reached, one.completed, one.in_progress, one.blocked, one.skipped


def test_steps_are_counted_by_where_people_stand(world: World) -> None:
    flow = make_flow(world, "Read", "Sign", step("Extra", is_required=False))
    bob, adam, stella = (assign(world, flow, one) for one in (world.bob, world.adam, world.stella))
    assign(world, flow, world.alice)
    complete(bob, "Read", "Sign", by=world.bob)
    complete(adam, "Read", by=world.adam)
    move(adam, "Sign", Status.BLOCKED, world.adam, reason="No pen")
    move(stella, "Read", Status.IN_PROGRESS, world.stella)
    move(stella, "Extra", Status.SKIPPED, world.stella, reason="Knows it")
    funnel = funnel_of(flow)
    assert counted(funnel, "Read") == (4, 3, 2, 1, 0, 0)
    assert counted(funnel, "Sign") == (4, 2, 1, 0, 1, 0)
    assert counted(funnel, "Extra") == (4, 1, 0, 0, 0, 1)
    assert (funnel.people, funnel.complete, funnel.under_way, funnel.not_begun) == (4, 1, 2, 1)
    assert funnel.percent == (100 + 50 + 0 + 0) // 4
    (blocked,) = funnel.blocked
    assert (blocked.target.user, blocked.reason) == (world.adam, "No pen")
    assert sum(week.completed for week in funnel.weeks) == funnel.weeks[-1].completed == 3
    assert len(funnel.lessons) == 4


def test_medians_are_of_those_who_completed(world: World) -> None:
    flow = make_flow(world, "Read")
    now = timezone.now()
    for person, hours in ((world.bob, 1), (world.adam, 3), (world.stella, 50)):
        target = assign(world, flow, person)
        complete(target, "Read", by=person)
        LessonTarget.objects.filter(pk=target.pk).update(assigned_at=now - timedelta(days=4))
        StepState.objects.filter(target=target).update(
            started_at=now - timedelta(hours=hours), completed_at=now
        )
    assign(world, flow, world.alice)
    (read,) = funnel_of(flow).steps
    assert (read.on_it, read.after) == (timedelta(hours=3), timedelta(days=4))
    assert (read.on_it_text, read.after_text) == ("3 h", "4 days")
    assert [in_words(one) for one in (None, timedelta(0), timedelta(minutes=12))] == [
        "", "at once", "12 min",
    ]  # fmt: skip


def test_nobody_yet_is_an_empty_funnel(world: World) -> None:
    funnel = funnel_of(make_flow(world, "Read"))
    assert (funnel.people, funnel.percent, counted(funnel, "Read")) == (0, 0, (0,) * 6)
    assert (funnel.blocked, funnel.lessons, funnel.steps[0].bars) == ([], [], [])


def test_ended_work_does_not_count_and_queues_count_apart(world: World) -> None:
    flow = make_flow(world, "Read")
    complete(assign(world, flow), "Read", by=world.bob)
    assign(world, flow, restart=True)
    by = Actor(user=world.stella)
    assign_lesson(world.organisation, by=by, flow=flow, role="member", resolution=Resolution.QUEUE)
    funnel = funnel_of(flow)
    assert (funnel.people, funnel.in_queue, counted(funnel, "Read")) == (1, 1, (1,) + (0,) * 5)


def test_an_assignment_of_one_step_counts_at_that_step_only(world: World) -> None:
    flow = make_flow(world, "Read", "Sign")
    complete(assign(world, flow, step_name="Sign"), "Sign", by=world.bob)
    funnel = funnel_of(flow)
    assert counted(funnel, "Read")[0] == 0
    assert counted(funnel, "Sign")[:3] == (1, 1, 1)
    assert funnel.complete == 1


def test_who_works_at_another_revision_counts_at_the_steps_both_have(world: World) -> None:
    flow = make_flow(world, "Read", "Sign")
    old = assign(world, flow)
    complete(old, "Read", "Sign", by=world.bob)
    kept = [one for one in drafts_of(old.revision) if one.name == "Sign"]
    save_draft(flow, by=world.stella, steps=[*kept, step("Test")])
    publish_flow(flow, by=world.stella)
    flow.refresh_from_db()
    assign(world, flow, world.adam)
    funnel = funnel_of(flow)
    assert [one.step.name for one in funnel.steps] == ["Sign", "Test"]
    assert counted(funnel, "Sign")[:3] == (2, 1, 1)
    assert counted(funnel, "Test")[:3] == (1, 0, 0)
    # Bob has done all of his revision.
    assert (funnel.complete, funnel.percent) == (1, 50)
    assert {use.revision.number: use.people for use in funnel.revisions} == {1: 1, 2: 1}


def test_what_was_done_at_a_step_one_has_no_longer_does_not_count(world: World) -> None:
    flow = make_flow(world, "Read")
    first = flow.published
    assert first is not None
    save_draft(flow, by=world.stella, steps=[*drafts_of(first), step("Test"), step("Sign")])
    publish_flow(flow, by=world.stella)
    flow.refresh_from_db()
    target = assign(world, flow)
    complete(target, "Test", by=world.bob)
    move(target, "Sign", Status.BLOCKED, world.bob, reason="No pen")
    assert move_targets(flow, first, which="all", by=Actor(user=world.stella)) == 1
    funnel = funnel_of(flow)
    assert counted(funnel, "Test") == counted(funnel, "Sign") == (0,) * 6
    assert (funnel.blocked, funnel.not_begun, funnel.percent) == ([], 1, 0)


def test_overdue_is_the_same_here_as_in_the_list_of_work(world: World) -> None:
    flow = make_flow(world, step("Read", due_days=1), step("Sign", due_days=30))
    long_ago = timezone.now() - timedelta(days=5)
    people = (world.bob, world.adam, world.stella, world.alice)
    targets = [assign(world, flow, person) for person in people]
    LessonTarget.objects.filter(flow=flow).update(assigned_at=long_ago)
    complete(targets[1], "Read", by=world.adam)  # in time with what is left
    move(targets[2], "Read", Status.IN_PROGRESS, world.stella)
    StepState.objects.filter(target=targets[2]).update(due_at=timezone.now() + timedelta(days=9))
    complete(targets[3], "Read", "Sign", by=world.alice)
    LessonTarget.objects.filter(pk=targets[3].pk).update(due_at=long_ago)  # done: never overdue
    lines = lines_for(LessonTarget.objects.filter(flow=flow))
    assert [line.target.user for line in lines if line.is_overdue] == [world.bob]
    assert funnel_of(flow).overdue == 1


def test_the_mean_is_that_of_the_percentages_people_see(world: World) -> None:
    flow = make_flow(world, "Read", "Sign", "Test")
    for person, done in ((world.bob, ["Read"]), (world.adam, ["Read", "Sign"])):
        complete(assign(world, flow, person), *done, by=person)
    shares = shares_of(list(LessonTarget.objects.filter(flow=flow))).values()
    assert funnel_of(flow).percent == sum(share.percent for share in shares) // 2


def test_the_number_of_queries_is_fixed(world: World) -> None:
    flow = make_flow(world, "Read", "Sign")
    costs = []
    for person in (world.bob, world.adam, world.stella):
        complete(assign(world, flow, person), "Read", by=person)
        with CaptureQueriesContext(connection) as captured:
            funnel_of(flow)
        costs.append(len(captured))
    assert costs == [costs[0]] * 3
    assert costs[0] <= 10
