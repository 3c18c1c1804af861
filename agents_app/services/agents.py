"""Making and changing agents."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone
from pydantic import ValidationError

from agents_app.access import readable_collections
from agents_app.errors import AgentNotFound, InvalidFields
from agents_app.models import Agent, AgentKind, Collection, Prompt
from agents_app.models.agents import Knowledge
from agents_app.services.sharing import Sharing, share
from agents_app.types import AgentOptions
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, Role, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.tenancy import in_tenant
from one_project.common.text import clean_line, clean_text, is_plain_json

PROMPT_LIMIT = 100_000

Row = TypeVar("Row", Agent, Prompt)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentValues:
    """All of an agent that people decide; ``options`` as AgentOptions reads them."""

    name: str
    description: str = ""
    kind: str = AgentKind.USER_AGENT
    prompt: str = ""
    model: str = ""
    avatar: str = ""
    tags: Sequence[str] = ()
    tools: Sequence[str] = ()
    starters: Sequence[str] = ()
    delegates_to: Sequence[Agent] = ()
    attached_prompts: Sequence[Prompt] = ()
    knowledge: str = Knowledge.PERSON
    collections: Sequence[Collection] = ()
    options: dict[str, Any] | None = None


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
    knowledge: str = Knowledge.PERSON,
    collections: Iterable[Collection] = (),
    options: dict[str, Any] | None = None,
    meta: dict[str, Any] | None = None,
) -> Agent:
    """A new agent. ``created_by`` None means the installation itself (seeds, programs).

    A person needs to be a member; a ``system_agent`` needs an admin. Raises InvalidInput for an
    empty name, an unknown kind or options that are none, NotFound and AccessDenied for the wrong
    person.
    """
    if created_by is not None:
        access_membership(created_by, organisation, _role_for(kind))
    columns = _columns(
        AgentValues(
            name=name,
            description=description,
            kind=kind,
            prompt=prompt,
            model=model,
            avatar=avatar,
            tags=list(tags),
            tools=list(tools),
            starters=list(starters),
            knowledge=knowledge,
            options=options,
        )
    )
    agent = Agent.objects.create(
        organisation=organisation, created_by=created_by, meta=meta or {}, **columns
    )
    agent.delegates_to.set(_same_organisation(organisation, delegates_to))
    agent.attached_prompts.set(_same_organisation(organisation, attached_prompts))
    _set_collections(agent, collections, by=created_by)
    record_event(organisation, "agent_created", actor=created_by, target=f"agent:{agent.pk}")
    return agent


@transaction.atomic
def make_agent(
    organisation: Organisation, *, by: User, values: AgentValues, sharing: Sharing
) -> Agent:
    """A new agent of ``by``, shared as they say. Raises as ``create_agent`` and ``share`` do."""
    given = {one.name: getattr(values, one.name) for one in fields(values)}
    agent = create_agent(organisation, created_by=by, **given)
    share(agent, by=by, sharing=sharing)
    return agent


@transaction.atomic
def update_agent(
    agent: Agent,
    *,
    by: User,
    values: AgentValues,
    sharing: Sharing | None = None,
    seen: datetime | None = None,
) -> Agent:
    """Make the agent as ``values`` say; ``sharing`` None leaves who may use it.

    ``seen``: the ``updated_at`` of what was changed; Conflict is raised where somebody else saved
    since. Raises AgentNotFound where it is gone, AccessDenied for a kind that is not for ``by``,
    InvalidInput for values that cannot be used.
    """
    row = Agent.objects.select_for_update().filter(pk=agent.pk).first()
    if row is None:
        raise AgentNotFound
    if seen is not None and row.updated_at != seen:
        raise Conflict(
            "Somebody else has changed this agent since you opened it. Save again to replace what "
            "they saved, or open it anew to see it."
        )
    if values.kind != row.kind:
        access_membership(by, row.organisation, Role.ADMIN)
    columns = _columns(values)
    for name, value in columns.items():
        setattr(row, name, value)
    row.save(update_fields=[*columns, "updated_at"])
    row.delegates_to.set(
        other
        for other in _same_organisation(row.organisation, values.delegates_to)
        if other.pk != row.pk
    )
    row.attached_prompts.set(_same_organisation(row.organisation, values.attached_prompts))
    _set_collections(row, values.collections, by=by)
    if sharing is not None:
        share(row, by=by, sharing=sharing)
    record_event(row.organisation, "agent_updated", actor=by, target=f"agent:{row.pk}")
    return row


@transaction.atomic
def set_agent_active(agent: Agent, *, by: User, is_active: bool) -> None:
    """Switch an agent off or on again. Its row stays: messages tell whom they are from."""
    changed = (
        Agent.objects.filter(pk=agent.pk)
        .exclude(is_active=is_active)
        .update(is_active=is_active, updated_at=timezone.now())
    )
    if changed:
        kind = "agent_activated" if is_active else "agent_deactivated"
        record_event(agent.organisation, kind, actor=by, target=f"agent:{agent.pk}")


def duplicate_agent(agent: Agent, *, by: User) -> Agent:
    """A private copy that belongs to ``by``. Raises as ``create_agent`` does."""
    return create_agent(
        agent.organisation,
        name=f"{agent.name[:110]} (copy)",
        description=agent.description,
        kind=AgentKind.USER_AGENT,
        created_by=by,
        prompt=agent.prompt,
        model=agent.model,
        avatar=agent.avatar,
        tags=agent.tags,
        tools=agent.tools,
        starters=agent.starters,
        delegates_to=agent.delegates_to.all(),
        attached_prompts=agent.attached_prompts.all(),
        knowledge=agent.knowledge,
        collections=_collections_for(agent, by),
        options=agent.options,
    )


def checked_options(options: dict[str, Any] | None) -> dict[str, Any]:
    """Options as they may be stored. Raises InvalidFields by the option's name."""
    try:
        AgentOptions.model_validate(options or {})
        # Postgres takes neither NUL nor what JSON does not know (NaN, endless nesting).
        if "\\u0000" in json.dumps(options, allow_nan=False):
            raise InvalidFields({"provider_options": "This contains a NUL character."})
        if not is_plain_json(options):
            raise ValueError
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidFields(
            {str(one["loc"][0] if one["loc"] else "options"): str(one["msg"]) for one in found}
        ) from None
    except (ValueError, TypeError, RecursionError):
        raise InvalidFields({"provider_options": "This is no JSON that can be stored."}) from None
    return dict(options or {})


def _role_for(kind: str) -> str:
    return Role.ADMIN if kind == AgentKind.SYSTEM_AGENT else Role.MEMBER


def _columns(values: AgentValues) -> dict[str, Any]:
    """The values as the table takes them. Raises InvalidInput."""
    name = clean_line(values.name, 120)
    if not name:
        raise InvalidFields({"name": "Please give the agent a name."})
    if values.kind not in AgentKind.values:
        raise InvalidInput(f"The kind of an agent is one of: {', '.join(AgentKind.values)}.")
    return {
        "name": name,
        "description": clean_line(values.description, 500),
        "kind": values.kind,
        "prompt": clean_text(values.prompt)[:PROMPT_LIMIT],
        "knowledge": _knowledge(values.knowledge),
        "model": clean_line(values.model, 120),
        "avatar": clean_line(values.avatar, 8),
        "tags": _lines(values.tags, 40),
        "tools": _lines(values.tools, 64),
        "starters": _lines(values.starters, 160),
        "options": checked_options(values.options),
    }


def _knowledge(value: str) -> str:
    if value not in Knowledge.values:
        raise InvalidFields({"knowledge": "Please choose what it may look things up in."})
    return value


def _set_collections(agent: Agent, collections: Iterable[Collection], *, by: User | None) -> None:
    """What it is granted; what it had stays, also where ``by`` may not read it.

    Raises InvalidFields for a new one that ``by`` may not read.
    """
    rows = {one.pk: one for one in collections}
    with in_tenant(agent.organisation_id):
        added = set(rows) - set(agent.collections.values_list("pk", flat=True))
        if by is not None:
            readable = readable_collections(by, agent.organisation)
        else:
            readable = Collection.objects.filter(organisation=agent.organisation)
        if readable.filter(pk__in=added).distinct().count() != len(added):
            raise InvalidFields({"collections": "Please choose among the collections offered."})
        agent.collections.set(rows.values())


def _collections_for(agent: Agent, person: User) -> list[Collection]:
    """Those of the agent that the person may read."""
    with in_tenant(agent.organisation_id):
        return list(readable_collections(person, agent.organisation).filter(agents=agent))


def _lines(values: Iterable[str], limit: int) -> list[str]:
    """Each once, without the empty ones."""
    lines = (clean_line(value, limit) for value in values)
    return list(dict.fromkeys(line for line in lines if line))


def _same_organisation(organisation: Organisation, rows: Iterable[Row]) -> list[Row]:
    found = list(rows)
    if any(row.organisation_id != organisation.pk for row in found):
        raise InvalidInput("Agents and prompts must belong to the same organisation.")
    return found
