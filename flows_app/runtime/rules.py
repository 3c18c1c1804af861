"""What makes a step complete, in words (shown beside it) and as a check of what was entered."""

from collections.abc import Mapping
from typing import Any

from flows_app.models import FlowStep, StepKind
from flows_app.types import StepDraft

_OWN = {
    StepKind.READING: "you mark it as read",
    StepKind.CHECKLIST: "every item is ticked",
    StepKind.FORM: "you send the form",
    StepKind.FILE: "you hand in a file",
    StepKind.CHAT: "you and the agent are done and you say so",
    StepKind.AGENT_TASK: "staff approve what the agent has drafted",
    StepKind.APPROVAL: "staff approve",
    StepKind.WORKFLOW: "the workflow ends well",
}


def completion_rule(step: FlowStep | StepDraft) -> str:
    """``Completes when …``, for the person who does it."""
    told = _OWN[StepKind(step.kind)]
    if step.needs_review and step.kind not in {StepKind.AGENT_TASK, StepKind.APPROVAL}:
        told = f"{told} and staff approve"
    return f"Completes when {told}."


def missing_of(step: FlowStep, work: Mapping[str, Any]) -> str:
    """What of a checklist, form or file is not there yet, as a sentence; empty: all is there."""
    if step.kind == StepKind.CHECKLIST:
        left = [one["text"] for one in step.items if one["id"] not in work.get("ticked", ())]
        return f"Still to tick: {'; '.join(left)[:300]}." if left else ""
    if step.kind == StepKind.FORM:
        answers = work.get("answers", {})
        left = [
            one["label"]
            for one in step.fields
            # Not ``in``: the answer 0 equals False.
            if one.get("required")
            and (answers.get(one["id"]) in (None, "") or answers.get(one["id"]) is False)
        ]
        return f"Please fill in: {'; '.join(left)[:300]}." if left else ""
    if step.kind == StepKind.FILE:
        return "" if work.get("files") else "Please hand in a file first."
    return ""
