"""Steps that agents and workflows do: begun by themselves, drafted once, paid for, or failed."""

import pytest

from agents_app.models import AICall
from agents_app.providers.base import Usage
from agents_app.providers.errors import ModelError
from agents_app.providers.registry import use_model
from agents_app.providers.scripted import ScriptedModel, ScriptedStep
from chat_app.models import Thread
from flows_app.errors import InvalidSteps, LessonNotFound
from flows_app.models import Lesson, LessonTarget, Status, StepState, Submission, SubmissionStatus
from flows_app.runtime.actors import Actor
from flows_app.services import workflow_steps
from flows_app.services.agent_steps import begin_task, keep_draft, request_agent_task
from flows_app.services.assigning import assign_lesson
from flows_app.services.ending import withdraw_lesson
from flows_app.services.reviews import approve, ask_again
from flows_app.services.workflow_steps import start_step_workflow
from flows_app.types import StepDraft
from one_project.common.errors import Conflict, InvalidInput
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.advance import advance
from one_project.workflows.services.sweeping import sweep
from one_project.workflows.types import Claimed
from tests.flows.running import asked
from tests.flows.samples import assign, complete, make_flow, move, step, steps
from tests.people import World
from tests.workflows.by_hand import call, committed, drain, pass_time, perform, take

pytestmark = pytest.mark.django_db(transaction=True)


def task(world: World, name: str = "Draft", **fields: object) -> StepDraft:
    settings = {"task": "Write a welcome."}
    return step(name, "agent_task", agent_id=world.agent.pk, settings=settings, **fields)


def of(target: LessonTarget, name: str = "Draft") -> list[Submission]:
    key = steps(target)[name].key
    return list(Submission.objects.filter(target=target, step_key=key).order_by("number"))


def status(target: LessonTarget, name: str = "Draft") -> str:
    found = StepState.objects.filter(target=target, step_key=steps(target)[name].key).first()
    return found.status if found else "Not Started"


def for_agent(world: World, *drafts: StepDraft, name: str = "Greeting") -> LessonTarget:
    flow = make_flow(world, *drafts, name=name)
    made = assign_lesson(
        world.organisation, by=Actor(user=world.stella), flow=flow, agent=world.agent
    )
    return LessonTarget.objects.select_related("lesson", "organisation", "revision").get(
        pk=made.targets[0].pk
    )


def test_a_draft_waits_for_a_review_and_is_paid_for(committed_world: World) -> None:
    world = committed_world
    form = step("Facts", "form", settings={"fields": [{"id": "n", "label": "Name"}]})
    target = assign(world, make_flow(world, form, task(world, prerequisites=(form.key,))))
    move(target, "Facts", Status.IN_PROGRESS, world.bob)
    StepState.objects.filter(target=target).update(work={"answers": {"n": "Desk 4"}})
    complete(target, "Facts", by=world.bob)
    assert of(target) == []  # a person's own step waits to be asked for
    request_agent_task(target, "Draft", by=Actor(user=world.bob))
    model = ScriptedModel([ScriptedStep(["Welcome!"], usage=Usage(100, 7))])
    with use_model(model):
        drain()
    [made] = of(target)
    assert (made.status, made.draft, made.number) == ("awaiting_review", "Welcome!", 1)
    assert (made.tokens, made.cost, made.agent) == (107, 0, world.agent)
    assert AICall.objects.get(thread_id=made.thread_id).organisation == world.organisation
    assert status(target) == Status.IN_PROGRESS
    assert "> Name: Desk 4" in asked(model)
    # The thread is nobody's: a draft is for staff first.
    assert not Thread.objects.visible_to(world.bob).filter(pk=made.thread_id).exists()
    with pytest.raises(Conflict):
        request_agent_task(target, "Draft", by=Actor(user=world.bob))


def test_an_agent_goes_on_by_itself_with_what_opens(committed_world: World) -> None:
    world = committed_world
    first = task(world, "First")
    target = for_agent(world, first, task(world, "Second", prerequisites=(first.key,)))
    assert [one.status for one in of(target, "First")] == ["queued"]
    assert of(target, "Second") == []
    with use_model(ScriptedModel(["One", "Two"])):
        drain()
        approve(of(target, "First")[0], by=world.alice)
        drain()
    assert [one.draft for one in of(target, "Second")] == ["Two"]
    assert status(target, "First") == Status.COMPLETED


def test_a_worker_that_dies_makes_no_second_draft(committed_world: World) -> None:
    world = committed_world
    target = for_agent(world, task(world))
    model = ScriptedModel(["Welcome!"])
    with use_model(model):
        # The answer was stored, its worker died before the engine knew.
        work = up_to("agents")
        call(work)
        assert call(work).result["text"] == "Welcome!"
        perform(work)
        drain()
    assert len(model.requests) == 1
    assert [one.draft for one in of(target)] == ["Welcome!"]


def up_to(pool: str) -> Claimed:
    """Everything before the first piece of work of this pool, which is claimed and returned."""
    for _ in range(20):
        found = sweep()
        for run_id in found.picked_up:
            committed(advance, run_id, picked_up=True)
        for run_id in found.settled:
            committed(advance, run_id)
        if work := take(pool):
            return work[0]
        for work in take("default"):
            perform(work)
    raise AssertionError("nothing came")


def test_a_failure_says_why_and_can_be_tried_again(committed_world: World) -> None:
    world = committed_world
    target = for_agent(world, task(world))
    with use_model(ScriptedModel([ModelError("auth"), "Better"])):
        drain()
        [failed] = of(target)
        assert failed.status == SubmissionStatus.FAILED
        assert failed.error
        request_agent_task(target, "Draft", by=Actor(user=world.stella))
        drain()
    assert [one.status for one in of(target)] == ["failed", "awaiting_review"]


def test_what_staff_want_goes_into_the_next_try(committed_world: World) -> None:
    world = committed_world
    target = for_agent(world, task(world))
    model = ScriptedModel(["Hello", "Good day"])
    with use_model(model):
        drain()
        ask_again(of(target)[0], by=world.alice, what="More polite")
        drain()
    assert "> Hello" in asked(model)
    assert "> More polite" in asked(model)
    first, second = of(target)
    assert (first.status, first.feedback) == ("rejected", "More polite")
    assert (second.number, second.draft, second.requested_by) == (2, "Good day", world.alice)


def test_a_withdrawn_task_is_not_drafted(committed_world: World) -> None:
    world = committed_world
    target = for_agent(world, task(world))
    withdraw_lesson(Lesson.objects.get(pk=target.lesson_id), by=Actor(user=world.stella))
    model = ScriptedModel()
    with use_model(model):
        drain()
    assert (model.requests, [one.status for one in of(target)]) == ([], ["expired"])
    [made] = of(target)
    assert begin_task(made.pk) is None
    assert keep_draft(made.pk, "Late") is False


def test_who_may_not_ask_the_agent(committed_world: World) -> None:
    world = committed_world
    target = assign(world, make_flow(world, task(world), "Read"), user=world.adam)
    for person in (world.bob, world.charlie):
        with pytest.raises(LessonNotFound):
            request_agent_task(target, "Draft", by=Actor(user=person))
    with pytest.raises(InvalidInput):
        request_agent_task(target, "Read", by=Actor(user=world.adam))
    first = request_agent_task(target, "Draft", by=Actor(user=world.adam))
    assert request_agent_task(target, "Draft", by=Actor(user=world.stella)) == first


def test_an_agent_that_was_switched_off_takes_nothing_back(committed_world: World) -> None:
    world = committed_world
    first = step("Read")
    target = for_agent(world, first, task(world, prerequisites=(first.key,)))
    world.agent.is_active = False
    world.agent.save()
    move(target, "Read", Status.COMPLETED, world.stella)
    assert (status(target, "Read"), of(target)) == (Status.COMPLETED, [])


# --- Steps of a workflow


def waiting(world: World, name: str, given: dict[str, object], **fields: object) -> LessonTarget:
    settings = {"workflow": name, "input": given}
    return assign(world, make_flow(world, step("Wait", "workflow", settings=settings, **fields)))


def test_a_workflow_completes_its_step(committed_world: World) -> None:
    world = committed_world
    target = waiting(world, "flows.pause", {"hours": 24})
    start_step_workflow(target, "Wait", by=Actor(user=world.bob))
    start_step_workflow(target, "Wait", by=Actor(user=world.bob))
    assert WorkflowRun.objects.count() == 1
    drain()
    assert status(target, "Wait") == Status.IN_PROGRESS
    pass_time(24 * 3_600)
    drain()
    assert status(target, "Wait") == Status.COMPLETED
    entry = target.log.get(status=Status.COMPLETED)
    assert (entry.actor_type, entry.notes) == ("system", "24 hours have passed.")


def test_a_workflow_that_fails_blocks_its_step(committed_world: World) -> None:
    world = committed_world
    target = waiting(world, "flows.pause", {"hours": "soon"})
    start_step_workflow(target, "Wait", by=Actor(user=world.bob))
    drain()
    state = StepState.objects.get(target=target)
    assert state.status == Status.BLOCKED
    assert 'its input has to be like {"hours": 24}' in state.reason
    start_step_workflow(target, "Wait", by=Actor(user=world.bob))
    assert status(target, "Wait") == Status.IN_PROGRESS


def test_the_result_of_a_workflow_may_need_a_review(committed_world: World) -> None:
    world = committed_world
    target = waiting(world, "flows.pause", {"hours": 0}, needs_review=True)
    start_step_workflow(target, "Wait", by=Actor(user=world.bob))
    drain()
    [made] = of(target, "Wait")
    assert (made.status, made.draft) == ("awaiting_review", "0 hours have passed.")
    approve(made, by=world.stella)
    assert status(target, "Wait") == Status.COMPLETED


def test_a_workflow_that_ends_while_its_step_is_locked_again_blocks_it(
    committed_world: World,
) -> None:
    world = committed_world
    read = step("Read")
    settings = {"workflow": "flows.pause", "input": {"hours": 0}}
    wait = step("Wait", "workflow", settings=settings, prerequisites=(read.key,))
    target = assign(world, make_flow(world, read, wait))
    complete(target, "Read", by=world.bob)
    start_step_workflow(target, "Wait", by=Actor(user=world.bob))
    move(target, "Read", Status.IN_PROGRESS, world.stella, reason="New text")
    drain()
    state = StepState.objects.get(target=target, step_key=wait.key)
    assert (state.status, "Opens when “Read” is done" in state.reason) == (Status.BLOCKED, True)


@workflow(name="tests.not_for_flows")
async def not_for_flows(ctx: WorkflowContext) -> str:
    return "done"


@pytest.mark.parametrize("name", ["tests.not_for_flows", "flows.do_agent_task"])
def test_only_workflows_that_allow_it_are_published(world: World, name: str) -> None:
    with pytest.raises(InvalidSteps, match="there is no workflow"):
        waiting(world, name, {})


def test_a_workflow_that_is_offered_no_more_is_not_started(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = waiting(world, "flows.pause", {})
    monkeypatch.delitem(workflow_steps._allowed, "flows.pause")
    with pytest.raises(InvalidInput, match="may not start"):
        start_step_workflow(target, "Wait", by=Actor(user=world.bob))
    assert status(target, "Wait") == Status.NOT_STARTED
