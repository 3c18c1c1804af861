"""How comments are shown."""

from django import template
from django.utils.safestring import SafeString, mark_safe

from flows_app.models import Comment
from flows_app.runtime.mentions import mark_names
from one_project.common.markdown import render

register = template.Library()


@register.filter
def comment_html(comment: Comment) -> SafeString:
    """Untrusted Markdown as clean HTML, the people it mentions marked."""
    found = mark_names(render(comment.text), list(comment.mentions.all()))
    return mark_safe(found)  # noqa: S308  (sanitised there; marking only adds its own tag)
