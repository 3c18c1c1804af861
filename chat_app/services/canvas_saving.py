"""Saving what a person typed into the canvas, while others may have written too.

A person edits for minutes; the page says from which version. Where the canvas has moved on since,
both changes are merged by lines. Where both changed the same passage, nothing is saved and the
person is given both texts.
"""

from dataclasses import dataclass
from uuid import UUID

from chat_app.models import Canvas, EditKind
from chat_app.runtime.merging import Conflict as Passage
from chat_app.runtime.merging import merge
from chat_app.services.canvas import (
    Content,
    Editor,
    MovedOn,
    clean_content,
    content_of,
    find_canvas,
    write_version,
)
from chat_app.services.changes import changing
from one_project.common.errors import Conflict

TRIES = 5


@dataclass(frozen=True, slots=True)
class Saved:
    """``merged_with``: who wrote the versions since, where their changes are in it as well.

    ``is_new``: whether it made a version; what is the same as the newest one makes none.
    """

    canvas: Canvas
    merged_with: tuple[str, ...] = ()
    is_new: bool = True


class CanvasConflict(Conflict):
    """Both changed the same passages; nothing was saved.

    ``mine``: what was typed, with the others' changes elsewhere already in it. ``canvas``: the
    newest version. ``passages``: each with both texts, and the line in ``mine`` it begins at.
    """

    code = "canvas_conflict"
    user_message = "Somebody else changed the same passages. Nothing has been saved yet."

    def __init__(
        self, mine: Content, canvas: Canvas, base_version: int, passages: tuple[Passage, ...]
    ) -> None:
        super().__init__()
        self.mine, self.canvas, self.base_version = mine, canvas, base_version
        self.passages = passages


def save_canvas(
    thread_id: UUID,
    *,
    by: Editor,
    text: str,
    base_version: int,
    title: str = "",
    kind: str = "",
    language: str = "",
    prefer_theirs: bool = False,
) -> Saved:
    """Save what was typed over ``base_version`` (0: there was no canvas), merged where needed.

    ``prefer_theirs``: in conflicting passages the newest version's text is taken. Raises
    CanvasConflict otherwise, CanvasTooLong, and Conflict for a base that never was.
    """
    typed = clean_content(text=text, title=title, kind=kind, language=language)
    for _ in range(TRIES):
        # Merged before the lock is taken; where the canvas moves on in between, once more.
        canvas = find_canvas(thread_id)
        content = _merged(canvas, base_version, typed, prefer_theirs=prefer_theirs)
        if canvas is not None and content == content_of(canvas):
            return Saved(canvas, is_new=False)
        others = _others(canvas, base_version)
        try:
            with changing(thread_id) as change:
                if canvas is None and find_canvas(thread_id) is not None:
                    raise MovedOn
                edit = EditKind.EDIT if canvas else EditKind.CREATE
                return Saved(write_version(change, canvas, content, by=by, kind=edit), others)
        except MovedOn:
            continue
    raise Conflict


def _merged(
    canvas: Canvas | None, base_version: int, typed: Content, *, prefer_theirs: bool
) -> Content:
    if canvas is None or canvas.version == base_version:
        return typed
    base = _base(canvas, base_version)
    theirs = content_of(canvas)
    merged = merge(base.text, typed.text, theirs.text, prefer_theirs=prefer_theirs)
    content = clean_content(
        text=merged.text,
        title=_changed_one(base.title, typed.title, theirs.title),
        kind=_changed_one(base.kind, typed.kind, theirs.kind),
        language=_changed_one(base.language, typed.language, theirs.language),
    )
    if merged.conflicts and not prefer_theirs:
        raise CanvasConflict(content, canvas, base_version, merged.conflicts)
    return content


def _base(canvas: Canvas, number: int) -> Content:
    if number == 0:
        return Content(text="")
    version = canvas.versions.filter(number=number).first()
    if version is None:
        raise Conflict("This form is too old to save from. Open the canvas again.")
    return content_of(version)


def _others(canvas: Canvas | None, base_version: int) -> tuple[str, ...]:
    """Who wrote since, each once."""
    if canvas is None or canvas.version == base_version:
        return ()
    rows = canvas.versions.filter(number__gt=base_version).order_by("number")
    return tuple(dict.fromkeys(rows.values_list("author_name", flat=True)))


def _changed_one(base: str, mine: str, theirs: str) -> str:
    return theirs if mine == base else mine
