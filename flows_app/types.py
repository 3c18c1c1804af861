"""Plain values of flows."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from one_project.common.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDraft:
    """A step as somebody wants it; see ``FlowStep`` for the fields. ``key`` None: a new step."""

    kind: str
    name: str
    key: UUID = field(default_factory=new_id)
    content: str = ""
    is_required: bool = True
    prerequisites: tuple[UUID, ...] = ()
    due_days: int | None = None
    agent_id: UUID | None = None
    needs_review: bool = False
    four_eyes: bool = False
    review_hours: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
