"""The workflows of agents that people copy: each comes to its end, and survives its workers."""

import orjson
import pytest

from agents_app.models import AICall, ToolCall
from agents_app.providers.errors import ModelError
from agents_app.providers.registry import use_embedding_model, use_model
from agents_app.providers.scripted import ScriptedModel
from agents_app.providers.scripted_embeddings import ScriptedEmbeddingModel
from chat_app.models import Message, Thread
from flows_app.patterns.approval import Decision, write_with_approval
from flows_app.patterns.chaining import get_advice
from flows_app.patterns.fan_out import fan_out
from flows_app.patterns.network import network
from flows_app.patterns.orchestrator import orchestrate
from flows_app.patterns.react import react
from flows_app.patterns.routing import route
from flows_app.patterns.support import support_agent_workflow
from one_project.workflows.models import RunStatus
from one_project.workflows.services import cache
from one_project.workflows.services.runs import send_event
from tests.agents.asking import call, rows
from tests.flows.running import asked, begin, next_work, run_to_rest, workers
from tests.people import World
from tests.workflows.by_hand import call as perform_only
from tests.workflows.by_hand import drain, fresh, journal, pass_time, perform

pytestmark = pytest.mark.django_db(transaction=True)


def json(**values: object) -> str:
    return orjson.dumps(values).decode()


SUGGESTED = json(analysis="Cannot log in", suggestion="Reset it")


# -- the chain and the request for support, as the seeds have them


def test_support_answers_and_tells_the_person(committed_world: World) -> None:
    model = ScriptedModel(["You may reset it.", SUGGESTED])
    run = run_to_rest(committed_world, model, support_agent_workflow, "I forgot my password")
    assert (run.status, run.result) == (RunStatus.SUCCESS, "Reset it")
    thread = Thread.objects.get(title="Support Request")
    assert thread.created_by == committed_world.alice
    assert [row[2:] for row in rows(thread.pk)] == [
        ("user", "success", "I forgot my password"),
        ("agent", "success", "You may reset it."),
        ("agent", "success", "Reset it"),
    ]
    assert asked(model) == "You may reset it."
    assert [name for name, _ in journal(run)] == [
        "create_thread", "generate_text", "generate_object", "save_message",
    ]  # fmt: skip


def test_fashion_follows_the_weather(committed_world: World) -> None:
    thread = committed_world.thread()
    model = ScriptedModel(["It rains in Oslo.", [call("get_context")], "A coat."])
    run = run_to_rest(committed_world, model, get_advice, "Oslo", thread.pk)
    assert (run.status, run.result) == (RunStatus.SUCCESS, None)
    assert [row[4] for row in rows(thread.pk)] == [
        "What is the weather in Oslo?", "It rains in Oslo.",
        "What should I wear based on the weather?", "", "", "A coat.",
    ]  # fmt: skip
    told = [message.plain_text for message in model.requests[1].messages]
    assert any("It rains in Oslo." in text for text in told)


def test_a_lost_worker_answers_nothing_twice(committed_world: World) -> None:
    """It dies after the answer is stored, and before the step is recorded."""
    thread = committed_world.thread()
    run = begin(committed_world, get_advice, "Oslo", thread.pk)
    model = ScriptedModel(["It rains.", "A coat."])
    with use_model(model):
        perform_only(next_work(run))
        pass_time(2000)
        cache.forget()
        drain()
        pass_time(2000)
        drain()
    assert fresh(run).status == RunStatus.SUCCESS
    assert len(model.requests) == 2
    assert [row[4] for row in rows(thread.pk)] == [
        "What is the weather in Oslo?", "It rains.",
        "What should I wear based on the weather?", "A coat.",
    ]  # fmt: skip


def test_a_step_that_failed_goes_on_after_its_tools(committed_world: World) -> None:
    thread = committed_world.thread()
    run = begin(committed_world, get_advice, "Oslo", thread.pk)
    model = ScriptedModel(
        ["It rains.", [call("get_context")], *[ModelError("overloaded")] * 4, "A coat."]
    )
    with use_model(model):
        drain()
        pass_time(60)
        drain()
    assert fresh(run).status == RunStatus.SUCCESS
    assert ToolCall.objects.count() == 1
    kinds = [(row[2], row[3]) for row in rows(thread.pk)][2:]
    assert kinds == [
        ("user", "success"), ("agent", "success"), ("tool", "success"), ("agent", "failed"),
        ("agent", "success"),
    ]  # fmt: skip


# -- the six patterns


def test_a_model_routes(committed_world: World) -> None:
    agents = workers("Sales", "Repairs")
    model = ScriptedModel([json(agent="Repairs"), "Mended."])
    run = run_to_rest(committed_world, model, route, "It is broken", agents)
    assert run.result["text"] == "Mended."
    assert list(AICall.objects.order_by("created_at").values_list("agent_name", flat=True)) == [
        "Router", "Repairs",
    ]  # fmt: skip


def test_likeness_routes(committed_world: World) -> None:
    agents = workers("cooking dinner", "mending bicycles")
    with use_embedding_model(ScriptedEmbeddingModel()):
        model = ScriptedModel(["Mended."])
        question = "who is mending bicycles here?"
        run = run_to_rest(committed_world, model, route, question, agents, "similarity")
    assert run.result["text"] == "Mended."
    assert AICall.objects.filter(agent_name="mending bicycles").exists()


def test_all_opinions_are_combined(committed_world: World) -> None:
    agents = workers("One", "Two", "Three")
    model = ScriptedModel(["yes", ModelError("bad_request"), "no", "It depends."])
    run = run_to_rest(committed_world, model, fan_out, "Is it good?", agents)
    assert run.result == "It depends."
    assert "Answer 1: yes" in asked(model)
    assert "Answer 2: no" in asked(model)


def test_nobody_can_answer(committed_world: World) -> None:
    model = ScriptedModel([ModelError("bad_request")])
    run = run_to_rest(committed_world, model, fan_out, "q", workers("One"))
    assert run.status == RunStatus.ERROR


def test_an_orchestrator_has_workers_do_the_parts(committed_world: World) -> None:
    agents = workers("Reader", "Counter")
    plan = {
        "tasks": [
            {"worker": agents[0], "task": "read it"},
            {"worker": agents[1], "task": "count it"},
            {"worker": "made up", "task": "rest"},
        ]
    }
    model = ScriptedModel([json(**plan), "read", "counted", "rested", "Done."])
    run = run_to_rest(committed_world, model, orchestrate, "Know the book", agents)
    assert run.result == "Done."
    assert "count it\ncounted" in asked(model)
    names = AICall.objects.order_by("created_at").values_list("agent_name", flat=True)
    assert list(names) == ["Orchestrator", "Reader", "Counter", "Reader", "Orchestrator"]


def thinks(thought: str, **more: object) -> str:
    return json(thought=thought, **more)


def test_react_acts_and_looks(committed_world: World) -> None:
    model = ScriptedModel(
        [
            thinks("add", tool="calculator", arguments={"expression": "2 + 40"}),
            thinks("try", tool="hammer"),
            thinks("done", answer="42"),
        ]
    )
    run = run_to_rest(committed_world, model, react, "What is 2 + 40?")
    assert (run.status, run.result) == (RunStatus.SUCCESS, "42")
    assert "Observation:" in asked(model)
    assert "42" in asked(model)
    assert [each.name for each in ToolCall.objects.all()] == ["calculator"]
    assert "There is no tool 'hammer'" in asked(model)


def test_a_worker_lost_in_the_middle_of_a_round_is_told(committed_world: World) -> None:
    run = begin(committed_world, react, "What is 2 + 40?")
    model = ScriptedModel(
        [
            thinks("add", tool="calculator", arguments={"expression": "2 + 40"}),
            thinks("done", answer="42"),
        ]
    )
    with use_model(model):
        perform(next_work(run))
        next_work(run)  # the tool: taken, and never heard of again
        pass_time(2000)
        cache.forget()
        drain()
    assert fresh(run).result == "42"
    assert "not known whether this took effect" in asked(model)
    assert ("use_tool", "unknown") in journal(run)


def test_a_network_writes_until_it_is_done(committed_world: World) -> None:
    one, two = workers("One", "Two")
    model = ScriptedModel(
        [json(to=two, text="What do you know?"), json(to=one, text="It is red."), json(text="Red.")]
    )
    run = run_to_rest(committed_world, model, network, "Find the colour", [one, two])
    assert run.result == "Red."
    assert f"{two} to {one}: It is red." in asked(model)


def test_a_network_is_bounded(committed_world: World) -> None:
    one, two = workers("One", "Two")
    endless = [json(to=two, text="a"), json(to=one, text="b"), json(to=two, text="c")]
    run = run_to_rest(committed_world, ScriptedModel(endless), network, "q", [one, two], 3)
    assert run.result == "c"


def test_a_draft_waits_weeks_for_a_person(committed_world: World) -> None:
    thread = committed_world.thread()
    model = ScriptedModel(["Dear all", "Dear friends"])
    run = run_to_rest(committed_world, model, write_with_approval, thread.pk, "Write a letter")
    assert run.status == RunStatus.RUNNING
    pass_time(20 * 86_400)
    cache.forget()  # and after a deploy
    send_event(run, "decision", Decision(approved=False, reason="too cold").model_dump())
    with use_model(model):
        drain()
    assert "too cold" in asked(model)
    send_event(run, "decision", {"approved": True})
    drain()
    assert fresh(run).result == "Dear friends"
    assert Message.objects.filter(thread=thread).count() == 4


def test_a_draft_that_nobody_decides_about_ends(committed_world: World) -> None:
    thread = committed_world.thread()
    model = ScriptedModel(["Dear all"])
    run = run_to_rest(committed_world, model, write_with_approval, thread.pk, "Write a letter")
    pass_time(31 * 86_400)
    drain()
    assert fresh(run).status == RunStatus.ERROR
    assert rows(thread.pk)[-1][4] == "Nobody has decided in time."
