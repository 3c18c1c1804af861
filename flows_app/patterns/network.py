"""A network: agents that write to one another until one of them says that it is done."""

from pydantic import BaseModel, Field

from flows_app.steps import Asker, generate_object, names_of, object_schema
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext

MAX_LETTERS = 20


@object_schema
class Letter(BaseModel):
    """What one agent writes to another, or the outcome."""

    to: str = Field(default="", description="Who it is for; empty when the work is done.")
    text: str = Field(description="The message, or the outcome when the work is done.")


@workflow(name="flows.network")
async def network(
    ctx: WorkflowContext, asker: Asker, goal: str, agents: list[str], letters: int = MAX_LETTERS
) -> str:
    """The outcome. The first agent begins; after ``letters`` (20 at most) it ends with the last."""
    turn, read = agents[0], [f"The goal: {goal}"]
    text = ""
    for left in range(min(letters, MAX_LETTERS), 0, -1):
        others = names_of([each for each in agents if each != turn])
        told = "\n".join(
            [
                *read,
                f"You are {turn}. You can write to {others}. {left} letters are left.",
                "Write the next letter, or the outcome.",
            ]
        )
        letter = Letter.model_validate(
            await ctx.run_step(generate_object, asker, turn, "Letter", told)
        )
        text = letter.text
        if letter.to not in agents:
            return text
        read.append(f"{turn} to {letter.to}: {text}")
        turn = letter.to
    return text
