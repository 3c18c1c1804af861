"""A step as it is typed, and what is stored of it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel, Field

from flows_app.conf import MAX_CHECKLIST, MAX_FIELDS, MAX_STEPS
from flows_app.errors import InvalidSteps
from flows_app.models import StepKind
from flows_app.types import StepDraft
from one_project.common.errors import InvalidInput
from one_project.common.ids import new_id


class Question(BaseModel):
    """A field of a form as it is typed; ``choices``: one on each line."""

    id: str = Field(default_factory=lambda: str(new_id()), max_length=40)
    label: str = ""
    type: str = "text"
    required: bool = False
    choices: str = ""


class ListItem(BaseModel):
    id: str = Field(default_factory=lambda: str(new_id()), max_length=40)
    text: str = ""


class TypedStep(BaseModel):
    """A step as it is typed: numbers and JSON are texts still; settings of all kinds are kept."""

    key: UUID = Field(default_factory=new_id)
    kind: str = StepKind.READING.value
    name: str = ""
    content: str = ""
    is_required: bool = True
    after: list[UUID] = Field(default=[], max_length=MAX_STEPS)
    due_days: str = ""
    agent: UUID | None = None
    needs_review: bool = False
    four_eyes: bool = False
    review_hours: str = ""
    items: list[ListItem] = Field(default=[], max_length=10 * MAX_CHECKLIST)
    questions: list[Question] = Field(default=[], max_length=2 * MAX_FIELDS)
    accept: str = ""
    max_files: str = "1"
    opening: str = ""
    task: str = ""
    workflow: str = ""
    input: str = ""

    @property
    def id(self) -> str:
        return str(self.key)

    @property
    def items_text(self) -> str:
        """The checklist, one item on each line."""
        return "\n".join(item.text for item in self.items)

    @property
    def kind_label(self) -> str:
        return StepKind(self.kind).label if self.kind in StepKind.values else self.kind

    @property
    def due_told(self) -> str:
        """When it is due, in words; empty where that is no number (yet)."""
        days = self.due_days.strip()
        if not days.isdecimal():
            return ""
        if days == "0":
            return "due the day it is assigned"
        return f"due {days} day{'' if days == '1' else 's'} after it is assigned"

    @property
    def as_json(self) -> str:
        return self.model_dump_json()


class Removed(BaseModel):
    """A step that was taken out last, to put it back: where it was, and which waited for it."""

    step: TypedStep
    at: int = Field(ge=0, le=MAX_STEPS)
    waiting: list[UUID] = Field(default=[], max_length=MAX_STEPS)

    @property
    def as_json(self) -> str:
        return self.model_dump_json()


def typed(step: StepDraft) -> TypedStep:
    """A stored step as its fields show it."""
    settings = step.settings
    fields = [
        {**one, "choices": "\n".join(one.get("choices", []))} for one in settings.get("fields", [])
    ]
    data = settings.get("input") or {}
    return TypedStep(
        key=step.key,
        kind=step.kind,
        name=step.name,
        content=step.content,
        is_required=step.is_required,
        after=list(step.prerequisites),
        due_days="" if step.due_days is None else str(step.due_days),
        agent=step.agent_id,
        needs_review=step.needs_review,
        four_eyes=step.four_eyes,
        review_hours="" if step.review_hours is None else str(step.review_hours),
        items=[ListItem.model_validate(one) for one in settings.get("items", [])],
        questions=[Question.model_validate(one) for one in fields],
        accept=" ".join(settings.get("accept", [])),
        max_files=str(settings.get("max_files", 1)),
        opening=settings.get("opening", ""),
        task=settings.get("task", ""),
        workflow=settings.get("workflow", ""),
        input=orjson.dumps(data, option=orjson.OPT_INDENT_2).decode() if data else "",
    )


def drafts_of_form(steps: Sequence[TypedStep]) -> list[StepDraft]:
    """What the services are asked to store. Raises InvalidSteps where a number or JSON is none."""
    problems: dict[UUID, str] = {}
    drafts = []
    for at, step in enumerate(steps, 1):
        try:
            drafts.append(_draft(step))
        except InvalidInput as error:
            problems[step.key] = f"“{step.name or f'Step {at}'}”: {error.user_message}"
    if problems:
        raise InvalidSteps(problems)
    return drafts


def matched_items(known: Sequence[ListItem], text: str) -> list[ListItem]:
    """Lines as items: one that is there already keeps its id, so does one changed in its place."""
    lines = [line.strip() for line in text.splitlines() if line.strip()][: 10 * MAX_CHECKLIST]
    by_text = {item.text: item.id for item in reversed(known)}
    taken: set[str] = set()
    found: list[str | None] = []
    for line in lines:
        key = by_text.get(line)
        found.append(key if key and key not in taken else None)
        taken.add(key or "")
    made = []
    for at, (line, key) in enumerate(zip(lines, found, strict=True)):
        if key is None and at < len(known) and known[at].id not in taken:
            key = known[at].id
            taken.add(key)
        made.append(ListItem(id=key, text=line) if key else ListItem(text=line))
    return made


def _draft(step: TypedStep) -> StepDraft:
    return StepDraft(
        key=step.key,
        kind=step.kind,
        name=step.name,
        content=step.content,
        is_required=step.is_required,
        prerequisites=tuple(step.after),
        due_days=_number(step.due_days, "days until it is due"),
        agent_id=step.agent if step.kind in {StepKind.CHAT, StepKind.AGENT_TASK} else None,
        needs_review=step.needs_review,
        four_eyes=step.four_eyes,
        review_hours=_number(step.review_hours, "hours until a reminder"),
        settings=_settings(step),
    )


def _settings(step: TypedStep) -> dict[str, Any]:
    if step.kind == StepKind.CHECKLIST:
        return {"items": [item.model_dump() for item in step.items]}
    if step.kind == StepKind.FORM:
        return {
            "fields": [
                {**one.model_dump(), "choices": one.choices.splitlines()} for one in step.questions
            ]
        }
    if step.kind == StepKind.FILE:
        most = _number(step.max_files, "files at most")
        return {"accept": step.accept.replace(",", " ").split(), "max_files": most or 1}
    if step.kind == StepKind.WORKFLOW:
        return {"workflow": step.workflow, "input": _json(step.input)}
    return {"opening": step.opening, "task": step.task}


def _number(text: str, what: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise InvalidInput(f"{what}: please give a whole number.")
    return int(text)


def _json(text: str) -> Any:
    try:
        return orjson.loads(text) if text.strip() else {}
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"the input is not JSON ({place}).") from error
