from one_project.workflows.models.completion import Completion
from one_project.workflows.models.events import WorkflowEvent
from one_project.workflows.models.pools import Pool
from one_project.workflows.models.runs import RunStatus, WorkflowRun
from one_project.workflows.models.work import WorkflowStep, WorkItem

__all__ = [
    "Completion",
    "Pool",
    "RunStatus",
    "WorkItem",
    "WorkflowEvent",
    "WorkflowRun",
    "WorkflowStep",
]
