"""Making and changing agents."""

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import transaction

from agents_app.models import Agent, AgentKind, Prompt
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, Role, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line, clean_text

PROMPT_LIMIT = 100_000

Row = TypeVar("Row", Agent, Prompt)


@transaction.atomic
def create_agent(
    organisation: Organisation,
    *,
    name: str,
    description: str = "",
    kind: str = AgentKind.USER_AGENT,
    created_by: User | None = None,
    prompt: str = "",
    model: str = "",
    avatar: str = "",
    tags: Iterable[str] = (),
    tools: Iterable[str] = (),
    starters: Iterable[str] = (),
    delegates_to: Iterable[Agent] = (),
    attached_prompts: Iterable[Prompt] = (),
    options: dict[str, Any] | None = None,
    meta: dict[str, Any] | None = None,
) -> Agent:
    """A new agent. ``created_by`` None means the installation itself (seeds, programs).

    A person needs to be a member; a ``system_agent`` needs an admin. Raises InvalidInput for an
    empty name or unknown kind, NotFound and AccessDenied for the wrong person.
    """
    name = clean_line(name, 120)
    if not name:
        raise InvalidInput("Please give the agent a name.")
    if kind not in AgentKind.values:
        raise InvalidInput(f"The kind of an agent is one of: {', '.join(AgentKind.values)}.")
    if created_by is not None:
        needed = Role.ADMIN if kind == AgentKind.SYSTEM_AGENT else Role.MEMBER
        access_membership(created_by, organisation, needed)
    agent = Agent.objects.create(
        organisation=organisation,
        name=name,
        description=clean_line(description, 500),
        kind=kind,
        created_by=created_by,
        prompt=clean_text(prompt)[:PROMPT_LIMIT],
        model=clean_line(model, 120),
        avatar=clean_line(avatar, 8),
        tags=[clean_line(tag, 40) for tag in tags],
        tools=list(tools),
        starters=[clean_line(starter, 160) for starter in starters],
        options=options or {},
        meta=meta or {},
    )
    agent.delegates_to.set(_same_organisation(organisation, delegates_to))
    agent.attached_prompts.set(_same_organisation(organisation, attached_prompts))
    record_event(organisation, "agent_created", actor=created_by, target=f"agent:{agent.pk}")
    return agent


def _same_organisation(organisation: Organisation, rows: Iterable[Row]) -> list[Row]:
    found = list(rows)
    if any(row.organisation_id != organisation.pk for row in found):
        raise InvalidInput("Agents and prompts must belong to the same organisation.")
    return found
