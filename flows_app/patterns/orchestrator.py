"""An orchestrator with workers: one plans, others do the parts, the first puts them together."""

from pydantic import BaseModel, Field

from agents_app.runtime.agent import Agent, register_agent
from flows_app.steps import Answer, Asker, generate_object, generate_text, names_of, object_schema
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext

ORCHESTRATOR = "flows.orchestrator"
MAX_TASKS = 6
AT_ONCE = 3

register_agent(
    ORCHESTRATOR,
    Agent(
        name="Orchestrator",
        description="Plans work and puts its parts together.",
        instructions="You plan work for others and put together what they bring.",
    ),
)


class PlannedTask(BaseModel):
    """One part: who does what."""

    worker: str
    task: str


@object_schema
class WorkPlan(BaseModel):
    """Parts that can be done independently."""

    tasks: list[PlannedTask] = Field(min_length=1, max_length=MAX_TASKS)


@workflow(name="flows.orchestrate")
async def orchestrate(ctx: WorkflowContext, asker: Asker, goal: str, workers: list[str]) -> str:
    """The goal, reached by ``workers``: at most six parts, three at once."""
    found = await ctx.run_step(
        generate_object, asker, ORCHESTRATOR, "WorkPlan",
        f"Goal: {goal}\nDivide it among these workers: {names_of(workers)}",
    )  # fmt: skip
    tasks = WorkPlan.model_validate(found).tasks
    results: list[str] = [""] * len(tasks)
    todo = list(enumerate(tasks))

    async def lane() -> None:
        while todo:
            place, planned = todo.pop(0)
            # A worker that the model has made up: somebody has to do it.
            worker = planned.worker if planned.worker in workers else workers[0]
            answer: Answer = await ctx.run_step(generate_text, asker, worker, planned.task)
            results[place] = f"{planned.task}\n{answer.text}"

    await ctx.gather(*(lane() for _ in range(AT_ONCE)))
    whole: Answer = await ctx.run_step(
        generate_text, asker, ORCHESTRATOR,
        f"Goal: {goal}\nPut this together:\n\n" + "\n\n".join(results),
    )  # fmt: skip
    return whole.text
