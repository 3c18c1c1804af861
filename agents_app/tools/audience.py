"""Who reads along where a tool is used: a registry that the app owning threads fills in."""

from collections.abc import Callable, Sequence
from typing import TypeAlias
from uuid import UUID

from agents_app.tools.definitions import ToolContext
from one_project.accounts.models import User

ReadAlong: TypeAlias = Callable[[UUID], Sequence[User]]

_registered: list[ReadAlong] = []


def register_audience(people_of: ReadAlong) -> None:
    """Have ``people_of(thread_id)`` name all people who see what is said in a thread."""
    _registered[:] = [people_of]


def audience_of(context: ToolContext) -> list[User]:
    """The people besides the one the tool works for who will read what it returns."""
    if context.thread_id is None:
        return []
    people = [user for people_of in _registered for user in people_of(context.thread_id)]
    return [user for user in people if context.user is None or user.pk != context.user.pk]
