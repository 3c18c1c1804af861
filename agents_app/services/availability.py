"""Switching agents on and off, and sharing them with their organisation."""

from collections.abc import Iterable

from django.db import transaction

from agents_app.models import Agent
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event


@transaction.atomic
def set_active(agents: Iterable[Agent], is_active: bool, *, by: User | None) -> int:
    """Let people use the agents, or not any more; returns how many that changed."""
    return _set(agents, "is_active", is_active, by)


@transaction.atomic
def set_shared(agents: Iterable[Agent], is_shared: bool, *, by: User | None) -> int:
    """Share the agents with everybody in their organisation, or not; returns how many changed."""
    return _set(agents, "is_shared", is_shared, by)


def _set(agents: Iterable[Agent], field: str, value: bool, by: User | None) -> int:
    ids = [agent.pk for agent in agents]
    changing = list(
        Agent.objects.select_for_update(of=("self",))
        .select_related("organisation")
        .filter(pk__in=ids)
        .exclude(**{field: value})
        .order_by("pk")
    )
    for agent in changing:
        setattr(agent, field, value)
        agent.save(update_fields=[field, "updated_at"])
        record_event(
            agent.organisation,
            "agent_changed",
            actor=by,
            target=f"agent:{agent.pk}",
            data={field: value},
        )
    return len(changing)
