"""What the pages of reviews post and ask for, read without failing."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.http import HttpRequest

from flows_app.conf import MAX_CONTENT, MAX_NOTES
from one_project.common.errors import InvalidInput
from one_project.common.ids import parse_id
from one_project.common.text import clean_text

MINE: Final = "mine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a reviewer says. ``final`` None: the draft as it is. ``version``: of the step, as their
    page showed it."""

    version: int | None
    notes: str = ""
    final: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """``mine``: only what the person has assigned or asked for; ``flow``: only of this one."""

    mine: bool = False
    flow: UUID | None = None

    @property
    def is_narrow(self) -> bool:
        return self.mine or self.flow is not None


def posted_decision(request: HttpRequest) -> Decision:
    """Raises InvalidInput for a version that is no number."""
    sent = request.POST
    final = sent.get("final")
    return Decision(
        version=_version(sent.get("version")),
        notes=clean_text(sent.get("notes"))[: MAX_NOTES + 1],
        # One more than is allowed, for the service to refuse; never more in memory.
        final=clean_text(final)[: MAX_CONTENT + 1] if final is not None else None,
        reason=clean_text(sent.get("reason"))[: MAX_NOTES + 1],
    )


def asked_queue(request: HttpRequest) -> QueueFilter:
    """What is none of the choices counts as not asked for."""
    return QueueFilter(mine=request.GET.get("show") == MINE, flow=parse_id(request.GET.get("flow")))


def _version(value: str | None) -> int | None:
    if not value:
        return None
    # isdecimal also knows other scripts' digits, which int() reads.
    if not value.isdecimal() or len(value) > 9:
        raise InvalidInput("Please reload the page and decide again.")
    return int(value)
