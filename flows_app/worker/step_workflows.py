"""Workflows that steps of flows may start. Each is given a ``FlowInput``."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows_app.services.workflow_steps import FlowInput, flow_workflow
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext

# A year.
MOST_HOURS = 8_760


class Pause(BaseModel):
    """Input of ``flows.pause``."""

    model_config = ConfigDict(extra="forbid")
    hours: float = Field(ge=0, le=MOST_HOURS)


@workflow(name="flows.pause")
async def pause(ctx: WorkflowContext, about: FlowInput) -> str:
    """Wait for ``{"hours": 24}``, so that the next step opens later."""
    try:
        wanted = Pause.model_validate(about.given)
    except ValidationError as error:
        raise ValueError(f'its input has to be like {{"hours": 24}}, up to {MOST_HOURS}') from error
    await ctx.sleep(timedelta(hours=wanted.hours), name="pause")
    return f"{wanted.hours:g} hours have passed."


flow_workflow(pause, "Wait for some hours")
