"""What prompts say about the thread they are put into (``{{ thread.title }}`` and its like)."""

from collections.abc import Mapping
from uuid import UUID

from agents_app.services.prompts import register_thread_values
from chat_app.access import access_thread
from chat_app.errors import ThreadNotFound
from chat_app.runtime.context import variables_of
from chat_app.runtime.options import agent_behind
from one_project.accounts.models import Organisation, User


def thread_values(user: User, organisation: Organisation, thread_id: UUID) -> Mapping[str, str]:
    """Values by name; none for a thread the person may not see."""
    try:
        thread = access_thread(user, thread_id)
    except ThreadNotFound:
        return {}
    return variables_of(thread, organisation, agent_behind(thread.agent), user)


register_thread_values(thread_values)
