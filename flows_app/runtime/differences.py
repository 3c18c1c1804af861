"""What differs between two revisions of a flow, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from uuid import UUID

from flows_app.models import StepKind
from flows_app.types import StepDraft


@dataclass(frozen=True, slots=True)
class Changed:
    """A step that is in both; ``what`` in words, e.g. ``now required``."""

    step: StepDraft
    what: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """``moved``: names of the steps that stand elsewhere among those that are in both."""

    added: list[StepDraft]
    removed: list[StepDraft]
    changed: list[Changed]
    moved: list[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.moved)


def differences(before: Sequence[StepDraft], after: Sequence[StepDraft]) -> Differences:
    """From one list of steps to another; steps are the same where their keys are."""
    old, new = {one.key: one for one in before}, {one.key: one for one in after}
    names = {key: one.name for key, one in [*old.items(), *new.items()]}
    changed = [Changed(new[key], _what(old[key], new[key], names)) for key in new if key in old]
    return Differences(
        added=[one for one in after if one.key not in old],
        removed=[one for one in before if one.key not in new],
        changed=[one for one in changed if one.what],
        moved=_moved([key for key in old if key in new], [key for key in new if key in old], names),
    )


def _moved(before: list[UUID], after: list[UUID], names: Mapping[UUID, str]) -> list[str]:
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    stayed = {
        key for block in matcher.get_matching_blocks() for key in after[block.b :][: block.size]
    }
    return [names[key] for key in after if key not in stayed]


def _what(old: StepDraft, new: StepDraft, names: Mapping[UUID, str]) -> list[str]:
    told = []
    if old.name != new.name:
        told.append(f"was called “{old.name}”")
    if old.kind != new.kind:
        told.append(f"was a {_kind(old)}, is a {_kind(new)}")
    if old.content != new.content:
        told.append("its text")
    if old.is_required != new.is_required:
        told.append("now required" if new.is_required else "no longer required")
    if set(old.prerequisites) != set(new.prerequisites):
        waits = [f"“{names[key]}”" for key in new.prerequisites if key in names]
        told.append(f"now waits for {', '.join(waits)}" if waits else "waits for nothing now")
    if old.due_days != new.due_days:
        told.append(_due(new.due_days))
    told += _who_and_how(old, new)
    return told


def _who_and_how(old: StepDraft, new: StepDraft) -> list[str]:
    told = []
    if _is_reviewed(old) != _is_reviewed(new):
        told.append("now reviewed by staff" if _is_reviewed(new) else "no longer reviewed")
    if (old.four_eyes, old.review_hours) != (new.four_eyes, new.review_hours):
        told.append("how it is reviewed")
    if old.agent_id != new.agent_id:
        told.append("another agent")
    if old.kind == new.kind and old.settings != new.settings:
        told.append(_SETTINGS.get(new.kind, "its settings"))
    return told


_SETTINGS: dict[str, str] = {
    StepKind.CHECKLIST: "the items of its list",
    StepKind.FORM: "the fields of its form",
    StepKind.FILE: "which files it takes",
    StepKind.CHAT: "how the talk begins",
    StepKind.AGENT_TASK: "what the agent is to do",
    StepKind.WORKFLOW: "its workflow",
}


def _is_reviewed(step: StepDraft) -> bool:
    return step.needs_review or step.kind in {StepKind.AGENT_TASK, StepKind.APPROVAL}


def _kind(step: StepDraft) -> str:
    return StepKind(step.kind).label.lower()


def _due(days: int | None) -> str:
    if days is None:
        return "no longer due on a day"
    return f"now due {days} day{'' if days == 1 else 's'} after the assignment"
