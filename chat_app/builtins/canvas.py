"""Tools on the document beside the conversation."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from agents_app.models import Effect
from agents_app.tools.definitions import Arguments, ToolContext, ToolError, tool
from chat_app.conf import CANVAS_LIMIT, TITLE_LIMIT
from chat_app.models import Canvas
from chat_app.services import canvas as services
from chat_app.services.canvas import Editor, find_canvas
from one_project.common.errors import AppError

# Of one reading, in characters: a model is given at most 64 KiB of a result.
READ_LIMIT = 16_000


class ReadCanvas(Arguments):
    start: int = Field(
        0, ge=0, description="Where to begin, in characters; long texts come in parts."
    )


@tool(name="read_canvas", title="Read the canvas", effect=Effect.READ)
def read_canvas(arguments: ReadCanvas, context: ToolContext) -> dict[str, Any]:
    """Read the canvas, the document beside this conversation: its title, kind, version and text.
    Where next_start is not null, there is more from there on."""
    canvas = find_canvas(_thread(context))
    if canvas is None:
        raise ToolError("There is no canvas yet; rewrite_canvas begins one.")
    end = arguments.start + READ_LIMIT
    return {
        **_state(canvas),
        "language": canvas.language,
        "text": canvas.text[arguments.start : end],
        "next_start": end if end < len(canvas.text) else None,
    }


class EditCanvas(Arguments):
    old_text: str = Field(
        min_length=1,
        max_length=CANVAS_LIMIT,
        description="The passage to replace, exactly as it stands there and only there.",
    )
    new_text: str = Field(max_length=CANVAS_LIMIT, description="What takes its place.")


@tool(name="edit_canvas", title="Edit the canvas", effect=Effect.WRITE, in_transaction=True)
def edit_canvas(arguments: EditCanvas, context: ToolContext) -> dict[str, Any]:
    """Replace one passage of the canvas, the document beside this conversation. Read it first."""
    thread_id, by = _thread(context), _editor(context)
    with _told():
        canvas = services.edit_canvas(
            thread_id, old=arguments.old_text, new=arguments.new_text, by=by
        )
    return _state(canvas)


class RewriteCanvas(Arguments):
    text: str = Field(max_length=CANVAS_LIMIT, description="The whole new text.")
    title: str | None = Field(None, max_length=TITLE_LIMIT)
    kind: Literal["markdown", "code"] | None = Field(None)
    language: str | None = Field(
        None, max_length=30, description="Of code: its language, e.g. python."
    )


@tool(name="rewrite_canvas", title="Write the canvas", effect=Effect.WRITE, in_transaction=True)
def rewrite_canvas(arguments: RewriteCanvas, context: ToolContext) -> dict[str, Any]:
    """Write a document into the canvas beside this conversation, in place of all that is in it.
    Begins the canvas where there is none. Earlier versions are kept."""
    thread_id, by = _thread(context), _editor(context)
    with _told():
        canvas = services.rewrite_canvas(
            thread_id,
            text=arguments.text,
            by=by,
            title=arguments.title,
            kind=arguments.kind,
            language=arguments.language,
        )
    return _state(canvas)


def _thread(context: ToolContext) -> UUID:
    if context.thread_id is None:
        raise ToolError("There is no conversation here, and so no canvas.")
    return context.thread_id


def _editor(context: ToolContext) -> Editor:
    return Editor(user=context.user, agent=context.agent, message_id=context.message_id)


def _state(canvas: Canvas) -> dict[str, Any]:
    return {
        "canvas": canvas.display_title,
        "kind": canvas.kind,
        "version": canvas.version,
        "length": len(canvas.text),
    }


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be done is told to the model, which may try it another way."""
    try:
        yield
    except AppError as error:
        raise ToolError(error.user_message, code=error.code) from error
