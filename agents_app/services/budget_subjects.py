"""What agents are called, for the budgets of the app below."""

from collections.abc import Collection
from uuid import UUID

from agents_app.models import Agent
from billing_app.runtime.subjects import OFFERED, register_agents


def agent_rows(
    organisation_ids: Collection[UUID] | None, ids: Collection[UUID] | None
) -> list[tuple[UUID, UUID, str]]:
    """Organisation, id and name of agents: active ones of organisations, or those of ``ids``."""
    found = Agent.objects.all() if ids is not None else Agent.objects.active()
    if organisation_ids is not None:
        found = found.filter(organisation__in=organisation_ids)
    if ids is not None:
        found = found.filter(pk__in=ids)
    rows = found.order_by("name").values_list("organisation_id", "pk", "name")
    return list(rows if ids is not None else rows[:OFFERED])


register_agents(agent_rows)
