"""What the templates of the canvas need: its text as HTML, its panel, one row of a difference."""

import re
from typing import Any

from django import template
from django.utils.safestring import SafeString

from chat_app.models import Canvas, CanvasKind, Thread
from chat_app.services.canvas import find_canvas
from one_project.common.markdown import plain_text, render

register = template.Library()

_TICKS = re.compile(r"`+")


@register.simple_tag
def canvas_body(canvas: Canvas) -> SafeString:
    """Its text as a person reads it: Markdown, or code in the colours of its language."""
    if canvas.kind == CanvasKind.MARKDOWN:
        return render(canvas.text)
    # A fence longer than any within the code.
    longest = max((len(run) for run in _TICKS.findall(canvas.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return render(f"{fence}{canvas.language}\n{canvas.text}\n{fence}")


@register.simple_tag
def canvas_of(thread: Thread) -> Canvas | None:
    """The thread's canvas; no query where it has none."""
    return find_canvas(thread.pk) if thread.has_canvas else None


@register.filter
def typed(text: str) -> str:
    """The content of a textarea: browsers drop one newline at its start."""
    return f"\n{text}"


@register.filter
def excerpt(message: Any) -> str:
    """The beginning of what was asked."""
    return plain_text(message.text, 80)
