"""What the lesson player posts, read without failing; services say what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line, clean_text

# Of the names of a form step's fields.
ANSWER: Final = "answer-"
_LONGEST: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One form of a step. ``version``: what it showed; None where it says none. ``page``: which
    open page it is of."""

    version: int | None
    request_id: str | None
    page: str
    status: str = ""
    reason: str = ""
    notes: str = ""
    due: str = ""
    answers: dict[str, Any] = field(default_factory=dict)


def posted_step(request: HttpRequest, fields: Sequence[dict[str, Any]] = ()) -> Posted:
    """``fields``: of the form step whose answers are posted. Raises InvalidInput for a version
    that is no number."""
    sent = request.POST
    return Posted(
        version=_version(sent.get("version")),
        request_id=clean_line(sent.get("request_id"), 64) or None,
        page=clean_line(sent.get("page_id"), 40),
        status=clean_line(sent.get("status"), 20),
        reason=clean_text(sent.get("reason")).strip(),
        notes=clean_text(sent.get("notes")).strip(),
        due=clean_line(sent.get("due"), 40),
        answers={one["id"]: sent.get(ANSWER + one["id"], "") for one in fields},
    )


def posted_ticks(request: HttpRequest, items: Sequence[dict[str, Any]]) -> dict[str, bool]:
    """One item (``item``) or, of a form without htmx, all of them; by id whether it is ticked."""
    ticked = set(request.POST.getlist("ticked"))
    one = request.POST.get("item")
    if one is not None:
        return {one: one in ticked}
    return {item["id"]: item["id"] in ticked for item in items}


def posted_uploads(request: HttpRequest) -> list[tuple[str, Any]]:
    """The chosen files: name and bytes to be read once."""
    return [
        (each.name, each.file)
        for each in request.FILES.getlist("upload")
        # A form without a chosen file sends one without a name.
        if isinstance(each, UploadedFile) and each.name and each.file is not None
    ]


def _version(value: str | None) -> int | None:
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > _LONGEST:
        raise InvalidInput("This page is too old to send from. Please reload it.")
    return int(value)
