"""Sharing many agents at once with their organisations."""

from collections.abc import Iterable

from django.db import transaction

from agents_app.models import Agent
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event


@transaction.atomic
def set_agents_shared(agents: Iterable[Agent], *, by: User, is_shared: bool) -> int:
    """Let everybody in its organisation use each agent, or only whom it was given to.

    Returns how many that changed.
    """
    ids = [agent.pk for agent in agents]
    locked = Agent.objects.select_for_update(of=("self",)).select_related("organisation")
    changing = list(locked.filter(pk__in=ids).exclude(is_shared=is_shared).order_by("pk"))
    for agent in changing:
        agent.is_shared = is_shared
        agent.save(update_fields=["is_shared", "updated_at"])
        kind = "agent_shared" if is_shared else "agent_unshared"
        record_event(agent.organisation, kind, actor=by, target=f"agent:{agent.pk}")
    return len(changing)
