"""Who answers in a thread what names nobody."""

from agents_app.models import Agent
from chat_app.models import Routing, Thread, ThreadParticipant
from chat_app.services.changes import changing
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event
from one_project.common.errors import InvalidInput


def set_routing(thread: Thread, *, user: User, routing: str, agent: Agent | None) -> Thread:
    """Let ``agent`` be the thread's own, and ``routing`` decide who answers.

    ``agent`` is one that ``user`` may use (the caller has looked); None leaves it as it is. Raises
    InvalidInput for a way of routing that does not exist.
    """
    if routing not in Routing.values:
        raise InvalidInput("Please choose how it is decided who answers.")
    with changing(thread.pk) as change:
        chosen = agent or change.thread.agent
        change.set_thread(routing=routing, agent=chosen)
        if chosen is not None:
            ThreadParticipant.objects.get_or_create(thread=change.thread, agent=chosen)
        record_event(
            change.thread.organisation,
            "thread_routing_changed",
            actor=user,
            target=f"thread:{thread.pk}",
            data={"routing": routing, "agent": str(chosen.pk) if chosen else None},
        )
    return change.thread
