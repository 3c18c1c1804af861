"""The canvas as all viewers are given it: what takes its place in their pages."""

from uuid import UUID

from django.template.loader import render_to_string

from chat_app.models import Canvas


def render_canvas(thread_id: UUID) -> str:
    """The present state; for viewers who are writing in it, the news of it."""
    canvas = Canvas.objects.filter(thread_id=thread_id).first()
    return render_to_string("chat/_canvas_record.html", {"canvas": canvas, "thread_id": thread_id})
