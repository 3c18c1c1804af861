"""What people post and ask for, read without ever failing; services say what is wrong with it."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest

from one_project.common.errors import InvalidInput
from one_project.common.ids import parse_id
from one_project.common.text import clean_line

# Our cursors are short; a longer one is not ours.
CURSOR_LIMIT = 300


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """The composer: the text, the key that makes repeating harmless, who is asked, and the ids of
    files that were uploaded before."""

    text: str
    client_key: UUID | None
    agent_id: str
    files: tuple[str, ...] = ()


def posted_message(request: HttpRequest) -> PostedMessage:
    """A starter is a button named ``text`` beside an empty box named so: the filled one counts."""
    texts = [str(text) for text in request.POST.getlist("text")]
    return PostedMessage(
        text=next((text for text in texts if text.strip()), ""),
        client_key=parse_id(request.POST.get("client_key")),
        agent_id=clean_line(request.POST.get("agent"), 64),
        files=tuple(str(key) for key in request.POST.getlist("file")),
    )


def posted_ids(request: HttpRequest, name: str) -> list[UUID]:
    """All posted values of ``name`` that are ids."""
    found = [parse_id(value) for value in request.POST.getlist(name)]
    return [value for value in found if value is not None]


def asked_cursor(request: HttpRequest, name: str) -> str | None:
    """The cursor of the address. Raises InvalidInput for one that cannot be ours."""
    cursor = request.GET.get(name) or None
    if cursor is not None and len(cursor) > CURSOR_LIMIT:
        raise InvalidInput("This page link is not valid. Please reload the page.")
    return cursor


def asked_sum(request: HttpRequest, name: str, *, low: int, high: int) -> int:
    """The whole numbers of the address added up, held between ``low`` and ``high``."""
    values = request.GET.getlist(name)[:100]
    # isdecimal also knows other scripts' digits, which int() reads; the length keeps it quick.
    total = sum(int(value) for value in values if value.isdecimal() and len(value) < 9)
    return max(low, min(total, high))
