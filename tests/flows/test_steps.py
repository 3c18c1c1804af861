"""The steps that workflows of agents are made of, called directly."""

from typing import Any
from uuid import uuid4

import pytest

from agents_app.errors import AgentNotFound
from agents_app.models import AgentKind
from agents_app.providers.errors import ModelError
from agents_app.providers.scripted import ScriptedModel
from chat_app.models import Thread
from flows_app import steps
from flows_app.steps import Asker
from one_project.common.errors import NotFound
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import StepFailed
from one_project.workflows.models import RunStatus
from tests.agents.asking import rows
from tests.flows.running import run_to_rest
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)


@workflow()
async def asks_once(ctx: WorkflowContext, who: Asker, agent: str, thread: Any = None) -> str:
    try:
        return str((await ctx.run_step(steps.generate_text, who, agent, "q", thread)).text)
    except StepFailed as error:
        return f"{error.kind}: {error}"


@workflow()
async def makes_nothing(ctx: WorkflowContext, who: Asker) -> str:
    try:
        await ctx.run_step(steps.generate_object, who, "flows.writer", "Nothing", "q")
    except StepFailed as error:
        return f"{error.kind}: {error}"
    return ""


def test_an_agent_of_the_database_answers(committed_world: World) -> None:
    model = ScriptedModel(["hello"])
    agent = str(committed_world.agent.pk)
    assert run_to_rest(committed_world, model, asks_once, agent).result == "hello"
    assert model.last_request.messages[0].plain_text == "You are Guide."


def test_agents_of_another_organisation_are_not_there(committed_world: World) -> None:
    with pytest.raises(AgentNotFound):
        steps.find_agent(str(committed_world.agent.pk), committed_world.elsewhere)
    with pytest.raises(AgentNotFound):
        steps.find_agent("nobody", committed_world.organisation)


def test_a_private_agent_does_not_work_for_others(committed_world: World) -> None:
    agent = committed_world.agent
    agent.kind, agent.created_by = AgentKind.USER_AGENT, committed_world.alice
    agent.save()
    here, key = committed_world.organisation, str(agent.pk)
    assert steps.find_agent(key, here, committed_world.alice).row == agent
    with pytest.raises(AgentNotFound):
        steps.find_agent(key, here, committed_world.bob)


def test_outsider_cannot_have_a_workflow_write_in_a_thread(committed_world: World) -> None:
    thread = committed_world.thread()
    bob = Asker(organisation_id=committed_world.organisation.pk, user_id=committed_world.bob.pk)
    charlie = Asker(
        organisation_id=committed_world.elsewhere.pk, user_id=committed_world.charlie.pk
    )
    stranger = Asker(
        organisation_id=committed_world.organisation.pk, user_id=committed_world.charlie.pk
    )
    nobody = Asker(organisation_id=uuid4())
    for who in (bob, charlie, stranger, nobody):
        with pytest.raises(NotFound):
            steps.save_message(who, thread.pk, "hello")
    assert rows(thread.pk) == []


def test_an_organisation_has_threads_of_its_own(committed_world: World) -> None:
    who = Asker(organisation_id=committed_world.organisation.pk)
    thread_id = steps.create_thread(who, str(committed_world.agent.pk), "Night shift")
    steps.save_message(who, thread_id, "All quiet", "assistant", str(committed_world.agent.pk))
    thread = Thread.objects.get(pk=thread_id)
    assert (thread.created_by, thread.agent, thread.title) == (
        None, committed_world.agent, "Night shift",
    )  # fmt: skip
    assert [row[2:] for row in rows(thread_id)] == [("agent", "success", "All quiet")]


def test_what_fails_for_good_is_not_tried_again(committed_world: World) -> None:
    model = ScriptedModel([ModelError("auth")])
    result = run_to_rest(committed_world, model, asks_once, "flows.writer").result
    assert result.startswith("NonRetryable")
    assert len(model.requests) == 1


def test_an_unknown_schema_fails_at_once(committed_world: World) -> None:
    found = run_to_rest(committed_world, ScriptedModel(), makes_nothing)
    assert found.status == RunStatus.SUCCESS
    assert "Nothing" in found.result
