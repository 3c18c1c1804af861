"""Reading the canvas' past: its versions in pages, and what changed between two of them."""

from dataclasses import dataclass

from chat_app.errors import CanvasNotFound
from chat_app.models import Canvas, CanvasVersion
from chat_app.runtime.comparing import Difference, compare

HISTORY_PAGE = 30


@dataclass(frozen=True, slots=True)
class History:
    """Versions, newest first, without their texts; ``before`` asks for those that follow."""

    versions: list[CanvasVersion]
    before: int | None


@dataclass(frozen=True, slots=True)
class Compared:
    """Two versions of a canvas and what changed from ``old`` (None: nothing yet) to ``new``."""

    old: CanvasVersion | None
    new: CanvasVersion
    difference: Difference


def get_history(canvas: Canvas, *, before: int | None = None) -> History:
    """A page of versions below the number ``before``."""
    rows = canvas.versions.defer("text", "message__content", "message__provider_metadata")
    if before is not None:
        rows = rows.filter(number__lt=before)
    found = list(rows.select_related("message").order_by("-number")[: HISTORY_PAGE + 1])
    page = found[:HISTORY_PAGE]
    return History(page, page[-1].number if len(found) > HISTORY_PAGE else None)


def get_version(canvas: Canvas, number: int) -> CanvasVersion:
    """Raises CanvasNotFound."""
    version = canvas.versions.select_related("message").filter(number=number).first()
    if version is None:
        raise CanvasNotFound
    return version


def get_difference(canvas: Canvas, *, old: int, new: int) -> Compared:
    """What changed from version ``old`` (0: from nothing) to ``new``. Raises CanvasNotFound."""
    after = get_version(canvas, new)
    before = get_version(canvas, old) if old else None
    return Compared(before, after, compare(before.text if before else "", after.text))
