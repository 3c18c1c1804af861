"""The fields of a flow's document, as strict models: what is not known here is refused."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from flows_app.conf import NAME_LIMIT
from flows_app.models import StepKind
from flows_app.runtime.step_settings import (
    MAX_CHOICE,
    MAX_CHOICES,
    MAX_ENDINGS,
    MAX_ITEM,
    MAX_LABEL,
    MAX_OPENING,
    MAX_TASK,
)


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AgentRef(Part):
    """An agent as a document names it."""

    name: str = ""
    code_name: str = ""


class Item(Part):
    id: str = ""
    text: str = Field(max_length=MAX_ITEM)


class FormField(Part):
    id: str = ""
    label: str = Field(max_length=MAX_LABEL)
    type: Literal["text", "long", "number", "date", "choice", "check"] = "text"
    required: bool = False
    choices: list[Annotated[str, Field(max_length=MAX_CHOICE)]] = Field(
        default=[], max_length=MAX_CHOICES
    )


class Nothing(Part):
    pass


class Checklist(Part):
    items: list[Item] = []


class Form(Part):
    fields_: list[FormField] = Field(default=[], alias="fields")


class FileRule(Part):
    accept: list[str] = Field(default=[], max_length=MAX_ENDINGS)
    max_files: int = 1


class Chat(Part):
    opening: str = Field(default="", max_length=MAX_OPENING)


class AgentTask(Part):
    task: str = Field(default="", max_length=MAX_TASK)


class WorkflowCall(Part):
    workflow: str = ""
    input: dict[str, Any] = {}


SETTINGS: Final[dict[str, type[Part]]] = {
    StepKind.CHECKLIST: Checklist,
    StepKind.FORM: Form,
    StepKind.FILE: FileRule,
    StepKind.CHAT: Chat,
    StepKind.AGENT_TASK: AgentTask,
    StepKind.WORKFLOW: WorkflowCall,
}


class Step(Part):
    name: str = Field(min_length=1, max_length=NAME_LIMIT)
    kind: Literal[
        "reading", "checklist", "form", "file", "chat", "agent_task", "approval", "workflow"
    ]
    content: str = ""
    required: bool = True
    after: list[str] = []
    due_days: int | None = None
    agent: AgentRef | None = None
    needs_review: bool = False
    four_eyes: bool = False
    review_hours: int | None = None
    settings: dict[str, Any] = {}
    completes: str = ""


class Document(Part):
    format: Literal["one.flow"]
    version: Literal[1]
    name: str = Field(min_length=1, max_length=NAME_LIMIT)
    description: str = ""
    completion_message: str = ""
    steps: list[Step] = []
