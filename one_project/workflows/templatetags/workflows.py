"""What the pages of durable work need: values as text, durations, states in words."""

import json
from datetime import UTC, datetime
from typing import Any

from django import template

from one_project.workflows.models import WorkItem
from one_project.workflows.types import Kind, Status

register = template.Library()

LONGEST = 4000
STATES = {
    "running": "Running",
    "paused": "Paused",
    "success": "Succeeded",
    "error": "Failed",
    "canceled": "Canceled",
    "unknown": "Unknown",
    "waiting": "Waiting",
    "ready": "Ready",
}
KINDS = {
    Kind.ACTION: "action",
    Kind.TRANSACTION: "transaction",
    Kind.WORKFLOW: "child workflow",
    Kind.SLEEP: "timer",
    Kind.EVENT: "event",
}


@register.filter
def state_name(status: str) -> str:
    return STATES.get(status, status)


@register.filter
def kind_name(kind: str) -> str:
    return KINDS.get(Kind(kind), kind)


@register.filter
def last_name(name: str) -> str:
    """What people call a function: the end of its dotted name."""
    return name.rsplit(".", 1)[-1]


@register.filter
def json_value(value: Any) -> str:
    """A stored value for reading; cut where it is long."""
    return _cut(json.dumps(value, indent=2, ensure_ascii=False))


@register.filter
def json_text(text: str) -> str:
    """JSON as the database gave it, perhaps only its beginning."""
    try:
        return json_value(json.loads(text))
    except ValueError:
        return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… (cut here: it is longer)"


@register.filter
def exact(moment: datetime) -> str:
    """To the millisecond, in UTC, as in a log; the page would make a ``time`` element relative."""
    at = moment.astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M:%S}.{at.microsecond // 1000:03d}"


@register.simple_tag
def lasted(begin: datetime | None, end: datetime | None) -> str:
    """How long it took, in the two units that matter; empty where one end is missing."""
    if begin is None or end is None:
        return ""
    return duration((end - begin).total_seconds())


@register.filter
def duration(seconds: float) -> str:
    seconds = max(seconds, 0.0)
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    parts = [
        (whole // 86_400, "d"),
        (whole % 86_400 // 3600, "h"),
        (whole % 3600 // 60, "min"),
        (whole % 60, "s"),
    ]
    first = next(place for place, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)


@register.filter
def waits_for(step: WorkItem) -> str:
    """What an open step waits for, in words; the time stands beside it."""
    if step.status == Status.READY:
        return f"for a worker of the pool {step.pool}" if step.pool else "for a worker"
    if step.status != Status.WAITING:
        return ""
    if step.kind == Kind.EVENT:
        return f"for the event “{step.name}”" + (", at the latest until" if step.poke_at else "")
    if step.kind == Kind.WORKFLOW:
        return "for its child workflow"
    if step.kind == Kind.SLEEP:
        return "until"
    return "for the next attempt at" if step.attempt else "for its time, at"
