"""Verbs on the canvas of a thread: begin, change a passage, write anew, restore.

Each is one change of the thread: under its lock, numbered, announced to all viewers. Each makes
one CanvasVersion and one ThreadEdit, so nothing that ever stood there is lost. What people type
in the page is saved by ``canvas_saving``, which merges.
"""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents_app.models import Agent
from chat_app.conf import CANVAS_LIMIT, TITLE_LIMIT
from chat_app.errors import CanvasNotFound, CanvasTooLong
from chat_app.models import Canvas, CanvasKind, CanvasVersion, EditKind, Message, ThreadEdit
from chat_app.runtime.edit_snippets import changed_span
from chat_app.services.changes import Change, changing
from chat_app.services.indexing import index_edit
from one_project.accounts.models import User
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.text import clean_line, clean_text

_LANGUAGE = re.compile(r"[a-z0-9_+#.-]{1,30}")
_HOW_MANY_TELLS = "must be there exactly once; give more of the text around it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """Who writes: a person, or an agent on behalf of the question ``message_id``."""

    user: User | None = None
    agent: Agent | None = None
    message_id: UUID | None = None

    @property
    def name(self) -> str:
        if self.agent is not None:
            return self.agent.name[:120]
        return self.user.display_name[:120] if self.user else "ONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """All that a version holds. Made by ``clean_content``."""

    text: str
    title: str = ""
    kind: str = CanvasKind.MARKDOWN
    language: str = ""


class MovedOn(Conflict):
    """Somebody else wrote a version first: the caller looks again."""


def clean_content(*, text: str, title: str = "", kind: str = "", language: str = "") -> Content:
    """What may be stored. Raises CanvasTooLong, or InvalidInput for an unknown kind."""
    text = clean_text(text)
    if len(text) > CANVAS_LIMIT:
        raise CanvasTooLong(
            f"The canvas holds at most {CANVAS_LIMIT:,} characters; this has {len(text):,}."
        )
    if (kind or CanvasKind.MARKDOWN) not in CanvasKind.values:
        raise InvalidInput("A canvas is text (markdown) or code.")
    named = language.strip().lower()
    is_code = kind == CanvasKind.CODE
    return Content(
        text=text,
        title=clean_line(title, TITLE_LIMIT),
        kind=kind or CanvasKind.MARKDOWN,
        language=named if is_code and _LANGUAGE.fullmatch(named) else "",
    )


def create_canvas(
    thread_id: UUID,
    *,
    by: Editor,
    text: str = "",
    title: str = "",
    kind: str = "",
    language: str = "",
) -> Canvas:
    """Begin the thread's canvas. Raises Conflict where there is one."""
    content = clean_content(text=text, title=title, kind=kind, language=language)
    with changing(thread_id) as change:
        if find_canvas(thread_id) is not None:
            raise Conflict("This thread has a canvas already.")
        return write_version(change, None, content, by=by, kind=EditKind.CREATE)


def edit_canvas(thread_id: UUID, *, old: str, new: str, by: Editor) -> Canvas:
    """Put ``new`` in the place of ``old``, which stands there exactly once.

    Raises CanvasNotFound, CanvasTooLong, and InvalidInput that says how often it occurs.
    """
    old, new = clean_text(old), clean_text(new)
    if not old:
        raise InvalidInput("The text to replace is empty.")
    if old == new:
        raise InvalidInput("The new text is the same as the old one.")
    with changing(thread_id) as change:
        canvas = require_canvas(thread_id)
        count = _occurrences(canvas.text, old)
        if count != 1:
            times = "does not occur" if count == 0 else f"occurs {count} times"
            raise InvalidInput(f"The text to replace {times} in the canvas; it {_HOW_MANY_TELLS}")
        content = clean_content(
            text=canvas.text.replace(old, new, 1),
            title=canvas.title,
            kind=canvas.kind,
            language=canvas.language,
        )
        return write_version(change, canvas, content, by=by, kind=EditKind.EDIT)


def rewrite_canvas(
    thread_id: UUID,
    *,
    text: str,
    by: Editor,
    title: str | None = None,
    kind: str | None = None,
    language: str | None = None,
) -> Canvas:
    """Give the canvas a whole new text, and begin it where there is none. None leaves as it is."""
    with changing(thread_id) as change:
        canvas = find_canvas(thread_id)
        content = clean_content(
            text=text,
            title=_or(title, canvas.title if canvas else ""),
            kind=_or(kind, canvas.kind if canvas else ""),
            language=_or(language, canvas.language if canvas else ""),
        )
        if canvas is not None and content == content_of(canvas):
            return canvas
        edit = EditKind.REWRITE if canvas else EditKind.CREATE
        return write_version(change, canvas, content, by=by, kind=edit)


def restore_version(thread_id: UUID, number: int, *, by: Editor) -> Canvas:
    """Make version ``number`` the newest again, as a new version. Raises CanvasNotFound."""
    with changing(thread_id) as change:
        canvas = require_canvas(thread_id)
        version = canvas.versions.filter(number=number).first()
        if version is None:
            raise CanvasNotFound
        content = content_of(version)
        if content == content_of(canvas):
            raise Conflict("The canvas is the same as that version.")
        return write_version(
            change, canvas, content, by=by, kind=EditKind.RESTORE, restored_from=number
        )


def find_canvas(thread_id: UUID) -> Canvas | None:
    return Canvas.objects.filter(thread_id=thread_id).first()


def require_canvas(thread_id: UUID) -> Canvas:
    """The canvas of the (already permitted) thread. Raises CanvasNotFound."""
    canvas = find_canvas(thread_id)
    if canvas is None:
        raise CanvasNotFound("This thread has no canvas yet.")
    return canvas


def content_of(state: Canvas | CanvasVersion) -> Content:
    return Content(text=state.text, title=state.title, kind=state.kind, language=state.language)


def write_version(
    change: Change,
    canvas: Canvas | None,
    content: Content,
    *,
    by: Editor,
    kind: str,
    restored_from: int | None = None,
) -> Canvas:
    """Write ``content`` as the next version, inside a change; ``canvas`` is what it follows.

    Raises MovedOn where that is not the newest one any more.
    """
    thread = change.thread
    before = content_of(canvas) if canvas else Content(text="")
    values = {
        "title": content.title,
        "kind": content.kind,
        "language": content.language,
        "text": content.text,
    }
    state: dict[str, Any] = {**values, "author_name": by.name, "seq": change.seq}
    if canvas is None:
        canvas = Canvas.objects.create(
            organisation_id=thread.organisation_id, thread=thread, **state
        )
        change.set_thread(has_canvas=True)
    else:
        state |= {"version": canvas.version + 1, "updated_at": timezone.now()}
        if not Canvas.objects.filter(pk=canvas.pk, version=canvas.version).update(**state):
            raise MovedOn
        for name, value in state.items():
            setattr(canvas, name, value)
    message_id = _message_of(thread.pk, by)
    CanvasVersion.objects.create(
        organisation_id=thread.organisation_id,
        canvas=canvas,
        number=canvas.version,
        user=None if by.agent else by.user,
        agent=by.agent,
        author_name=by.name,
        message_id=message_id,
        restored_from=restored_from,
        **values,
    )
    span = changed_span(before.text, content.text)
    is_text = before.text != content.text
    edit = ThreadEdit.objects.create(
        organisation_id=thread.organisation_id,
        thread=thread,
        canvas=canvas,
        user=None if by.agent else by.user,
        agent=by.agent,
        actor_name=by.name,
        kind=kind,
        before=span.before if is_text else before.title,
        after=span.after if is_text else content.title,
        position=span.position if is_text else 0,
        length=span.length,
        version=canvas.version,
        message_id=message_id,
    )
    index_edit(edit)
    change.canvas = True
    return canvas


def _message_of(thread_id: UUID, by: Editor) -> UUID | None:
    """The question, as long as it is one of this thread."""
    if by.message_id is None:
        return None
    asked = Message.objects.filter(pk=by.message_id, thread_id=thread_id)
    return asked.values_list("pk", flat=True).first()


def _occurrences(text: str, part: str) -> int:
    """How often ``part`` stands in ``text``, also where it overlaps itself."""
    count, at = 0, text.find(part)
    while at >= 0:
        count, at = count + 1, text.find(part, at + 1)
    return count


def _or(value: str | None, other: str) -> str:
    return other if value is None else value
