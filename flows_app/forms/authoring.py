"""The editor of a flow: what somebody has typed, whether or not it can be saved as it is.

The form holds every step: those that are closed as one hidden JSON text each, the open one as
fields. So a flow of 200 steps is 200 small fields, order is the order in the form, and nothing
that was typed is lost on the way.
"""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from django.http import QueryDict
from pydantic import BaseModel, ValidationError

from flows_app.conf import MAX_FIELDS, MAX_STEPS
from flows_app.forms.typed_steps import Question, Removed, TypedStep, matched_items, typed
from flows_app.models import StepKind
from flows_app.types import StepDraft
from one_project.common.errors import InvalidInput
from one_project.common.ids import parse_id
from one_project.common.text import clean_text

# In place of the JSON of the step whose fields are shown.
OPEN = "open"
Sent = TypeVar("Sent", bound=BaseModel)
BROKEN = "This page is not what was sent to you. Please load it again."


class Editor:
    """The whole form. ``opened``: key of the step whose fields are shown.

    ``version``: of the draft that was looked at, 0 where there was none. ``problems`` by step;
    ``problem`` of the whole.
    """

    def __init__(
        self,
        *,
        name: str,
        description: str,
        completion_message: str,
        version: int,
        steps: Sequence[TypedStep],
        opened: UUID | None = None,
        removed: Removed | None = None,
    ) -> None:
        self.name, self.description = name, description
        self.completion_message, self.version = completion_message, version
        self.steps, self.opened, self.removed = list(steps), opened, removed
        self.problem = ""
        self.problems: dict[UUID, str] = {}

    @property
    def open_step(self) -> TypedStep | None:
        return next((step for step in self.steps if step.key == self.opened), None)

    def names(self) -> dict[UUID, str]:
        """What to call each step, also one that has no name yet."""
        return {step.key: step.name or f"Step {at}" for at, step in enumerate(self.steps, 1)}


def shown_editor(
    *,
    name: str,
    description: str,
    completion_message: str,
    version: int,
    steps: Sequence[StepDraft],
    opened: UUID | None = None,
) -> Editor:
    """The form as a draft is stored."""
    return Editor(
        name=name,
        description=description,
        completion_message=completion_message,
        version=version,
        steps=[typed(step) for step in steps],
        opened=opened,
    )


def sent_editor(form: QueryDict) -> Editor:
    """The form as it was sent. Raises InvalidInput for what no page of ours sends."""
    rows = form.getlist("step")
    if len(rows) > 2 * MAX_STEPS or rows.count(OPEN) > 1:
        raise InvalidInput(BROKEN)
    opened = None
    steps = []
    for row in rows:
        if row == OPEN:
            step = _from_fields(form)
            opened = step.key
        else:
            step = _read(TypedStep, row)
        steps.append(step)
    if len({step.key for step in steps}) != len(steps):
        raise InvalidInput(BROKEN)
    version, removed = form.get("version", "0"), form.get("removed", "")
    return Editor(
        name=clean_text(form.get("name", "")),
        description=clean_text(form.get("description", "")),
        completion_message=clean_text(form.get("completion_message", "")),
        version=int(version) if version.isdecimal() and len(version) < 9 else 0,
        steps=steps,
        opened=opened,
        removed=_read(Removed, removed) if removed else None,
    )


def _from_fields(form: QueryDict) -> TypedStep:
    """The open step: what it was when it was opened, and over it what its fields say."""
    step = _read(TypedStep, form.get("open-rest", ""))
    texts = ("name", "kind", "content", "due_days", "review_hours", "accept", "max_files")
    for name in (*texts, "opening", "task", "workflow", "input"):
        if f"open-{name}" in form:
            setattr(step, name, clean_text(form[f"open-{name}"]))
    if step.kind not in StepKind.values:
        raise InvalidInput(BROKEN)
    for name in ("is_required", "needs_review", "four_eyes"):
        setattr(step, name, f"open-{name}" in form)
    step.after = [key for one in form.getlist("open-after") if (key := parse_id(one))]
    if "open-agent" in form:
        step.agent = parse_id(form["open-agent"])
    if "open-items" in form:
        step.items = matched_items(step.items, clean_text(form["open-items"]))
    if "field-id" in form:
        step.questions = _questions(form)
    return step


def _questions(form: QueryDict) -> list[Question]:
    columns = [form.getlist(f"field-{name}") for name in ("id", "label", "type", "choices")]
    if len({len(column) for column in columns}) > 1 or len(columns[0]) > 2 * MAX_FIELDS:
        raise InvalidInput(BROKEN)
    required = set(form.getlist("field-required"))
    return [
        Question(
            id=clean_text(key)[:40],
            label=clean_text(label),
            type=clean_text(kind),
            required=key in required,
            choices=clean_text(choices),
        )
        for key, label, kind, choices in zip(*columns, strict=True)
    ]


def _read(kind: type[Sent], text: str) -> Sent:
    try:
        return kind.model_validate_json(clean_text(text))
    except ValidationError as error:
        raise InvalidInput(BROKEN) from error
