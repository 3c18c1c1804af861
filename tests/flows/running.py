"""Workflows of agents on the real engine, with a scripted model in the place of the LLM."""

from typing import Any

from agents_app.providers.registry import use_model
from agents_app.providers.scripted import ScriptedModel
from agents_app.runtime.agent import Agent, register_agent
from flows_app.steps import Asker
from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.advance import advance
from one_project.workflows.services.runs import start
from one_project.workflows.types import Claimed
from tests.people import World
from tests.workflows.by_hand import committed, drain, fresh, take

POOL = "agents"


def asker(world: World) -> Asker:
    return Asker(organisation_id=world.organisation.pk, user_id=world.alice.pk)


def begin(world: World, workflow: Any, *args: Any, **more: Any) -> WorkflowRun:
    return start(
        workflow, asker(world), *args,
        organisation=world.organisation, started_by=world.alice, **more,
    )  # fmt: skip


def run_to_rest(world: World, model: ScriptedModel, workflow: Any, *args: Any) -> WorkflowRun:
    run = begin(world, workflow, *args)
    with use_model(model):
        drain()
    return fresh(run)


def next_work(run: WorkflowRun) -> Claimed:
    """What the run asks a worker to do next."""
    committed(advance, run.pk)
    [work] = take(POOL)
    return work


def workers(*names: str) -> list[str]:
    for name in names:
        register_agent(f"test.{name}", Agent(name=name, description=f"does {name}"))
    return [f"test.{name}" for name in names]


def asked(model: ScriptedModel, number: int = -1) -> str:
    """The last message of a request, which is the newest one unless told."""
    return model.requests[number].messages[-1].plain_text
