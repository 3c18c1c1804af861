"""Whom a message is for: ``@name`` in it, the agent picked beside it, or the thread's way."""

import re
from dataclasses import dataclass

from agents_app.models import Agent
from chat_app.models import Routing, Thread
from one_project.accounts.models import User

# More are not compared with a text: an organisation with so many has a picker.
MAX_NAMES = 500
_AT = re.compile(r"(?:^|(?<=[\s(\[,;:]))@")


@dataclass(frozen=True, slots=True)
class Addressed:
    """``agent`` answers, chosen by ``route`` later where that says so; None: nobody is asked."""

    agent: Agent | None
    route: str = ""


def addressed(thread: Thread, text: str, *, author: User | None, picked: Agent | None) -> Addressed:
    """Who answers what ``author`` says: the first ``@name`` that is an agent or a person here,
    else the agent picked, else as the thread's routing says. While a person has taken the thread
    over only a named agent answers."""
    named = _named(thread, text, author)
    if named is not None:
        return Addressed(named if isinstance(named, Agent) else None)
    if thread.handled_by_id is not None:
        return Addressed(None)
    if picked is not None and picked.pk != thread.agent_id:
        return Addressed(picked)
    route = "" if thread.routing == Routing.ASSIGNED else thread.routing
    return Addressed(thread.agent, route if thread.agent else "")


def _named(thread: Thread, text: str, author: User | None) -> Agent | User | None:
    starts = [found.end() for found in _AT.finditer(text)]
    if not starts or author is None:
        return None
    agents = Agent.objects.usable_by(author, thread.organisation).order_by("name")[:MAX_NAMES]
    people = User.objects.filter(thread_participations__thread=thread).exclude(pk=author.pk)
    names: list[tuple[str, Agent | User]] = [(agent.name, agent) for agent in agents]
    for person in people[:MAX_NAMES]:
        full = person.display_name
        names += [(full, person), (full.split()[0] if full.split() else full, person)]
    # The longest name that fits wins: "@Guide Two" is not "@Guide".
    names.sort(key=lambda pair: -len(pair[0]))
    for start in starts:
        rest = text[start : start + 200].casefold()
        for name, who in names:
            if name and _begins(rest, name.casefold()):
                return who
    return None


def _begins(rest: str, name: str) -> bool:
    return rest.startswith(name) and not rest[len(name) : len(name) + 1].isalnum()
