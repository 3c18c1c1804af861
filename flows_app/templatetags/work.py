"""How statuses, dates and texts of flows are shown."""

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from flows_app.models import Status
from one_project.accounts.models import Membership, Role
from one_project.common.markdown import render

register = template.Library()

# A shape for each, so that colour is never alone in saying it.
GLYPHS = {
    Status.NOT_STARTED: "○",
    Status.IN_PROGRESS: "◐",
    Status.COMPLETED: "✓",
    Status.BLOCKED: "!",
    Status.SKIPPED: "–",
}


@register.filter
def status_glyph(status: str) -> str:
    return GLYPHS.get(Status(status), "") if status in Status.values else ""


@register.filter
def status_class(status: str) -> str:
    """``In Progress`` as ``in-progress``."""
    return status.lower().replace(" ", "-")


@register.filter
def is_past(at: datetime | None) -> bool:
    return at is not None and at < timezone.now()


@register.filter
def is_staff(membership: Membership | None) -> bool:
    return membership is not None and membership.role != Role.MEMBER


@register.filter
def item(mapping: Any, key: Any) -> Any:
    """``mapping|item:key``; None where it is not there."""
    return mapping.get(key) if hasattr(mapping, "get") else None


@register.filter
def markdown(text: str) -> SafeString:
    """Untrusted Markdown as clean HTML."""
    return mark_safe(render(text or ""))  # noqa: S308  (sanitised there)
