"""Which agents, prompts and tools a person may use or change. Missing and forbidden look the same.

Changing: who made it, who has been granted to manage it, and the organisation's admins; what
belongs to the organisation itself only the latter two. Of documents, admins may change only what
they may read or what nobody owns: a private collection is private.
"""

from typing import TypeVar
from uuid import UUID

from django.db.models import Q, QuerySet

from agents_app.errors import (
    AgentNotFound,
    CollectionNotFound,
    DocumentNotFound,
    PromptNotFound,
    ToolNotFound,
)
from agents_app.models import Agent, AgentKind, Collection, Document, Prompt, Tool
from agents_app.models.collections import GRANTED as COLLECTION
from one_project.accounts.access import find_membership, managed_ids
from one_project.accounts.models import Organisation, User
from one_project.common.ids import parse_id
from one_project.common.tenancy import in_tenant

Row = TypeVar("Row", Agent, Prompt, Tool)


def access_agent(user: User, organisation: Organisation, agent_id: UUID | str | None) -> Agent:
    """The active agent, if ``user`` may use it in ``organisation``. Raises AgentNotFound."""
    wanted = parse_id(agent_id)
    agent = wanted and Agent.objects.usable_by(user, organisation).filter(pk=wanted).first()
    if not agent:
        raise AgentNotFound
    return agent


def access_agent_to_edit(
    user: User, organisation: Organisation, agent_id: UUID | str | None
) -> Agent:
    """The agent, also a switched off one, if ``user`` may change it. Raises AgentNotFound."""
    wanted = parse_id(agent_id)
    agent = wanted and editable_agents(user, organisation).filter(pk=wanted).first()
    if not agent:
        raise AgentNotFound
    return agent


def access_prompt(user: User, organisation: Organisation, prompt_id: UUID | str | None) -> Prompt:
    """The prompt, if ``user`` may use or change it. Raises PromptNotFound."""
    wanted = parse_id(prompt_id)
    usable = Prompt.objects.usable_by(user, organisation)
    prompt = wanted and usable.filter(pk=wanted).first()
    return prompt or access_prompt_to_edit(user, organisation, wanted)


def access_prompt_to_edit(
    user: User, organisation: Organisation, prompt_id: UUID | str | None
) -> Prompt:
    """The prompt, if ``user`` may change it. Raises PromptNotFound."""
    wanted = parse_id(prompt_id)
    prompt = wanted and editable_prompts(user, organisation).filter(pk=wanted).first()
    if not prompt:
        raise PromptNotFound
    return prompt


def access_tool_to_edit(user: User, organisation: Organisation, tool_id: UUID | str | None) -> Tool:
    """The tool's row, if ``user`` may change it. Raises ToolNotFound."""
    wanted = parse_id(tool_id)
    tool = wanted and editable_tools(user, organisation).filter(pk=wanted).first()
    if not tool:
        raise ToolNotFound
    return tool


def access_collection(
    user: User, organisation: Organisation, collection_id: UUID | str | None
) -> Collection:
    """The collection, if ``user`` may read or change it. Raises CollectionNotFound."""
    return _collection(collection_id, readable_collections(user, organisation), organisation)


def access_collection_to_edit(
    user: User, organisation: Organisation, collection_id: UUID | str | None
) -> Collection:
    """The collection, if ``user`` may change it. Raises CollectionNotFound."""
    return _collection(collection_id, editable_collections(user, organisation), organisation)


def access_document(
    user: User, organisation: Organisation, document_id: UUID | str | None
) -> Document:
    """The document with its collection, if ``user`` may read it. Raises DocumentNotFound."""
    return _document(document_id, readable_collections(user, organisation), organisation)


def access_document_to_edit(
    user: User, organisation: Organisation, document_id: UUID | str | None
) -> Document:
    """The document with its collection, if ``user`` may change it. Raises DocumentNotFound."""
    return _document(document_id, editable_collections(user, organisation), organisation)


def _collection(
    collection_id: UUID | str | None, rows: QuerySet[Collection], organisation: Organisation
) -> Collection:
    wanted = parse_id(collection_id)
    with in_tenant(organisation.pk):
        found = rows.filter(pk=wanted).first() if wanted else None
    if found is None:
        raise CollectionNotFound
    found.organisation = organisation
    return found


def _document(
    document_id: UUID | str | None, rows: QuerySet[Collection], organisation: Organisation
) -> Document:
    wanted = parse_id(document_id)
    documents = Document.objects.filter(organisation=organisation, collection__in=rows)
    documents = documents.select_related("collection", "current")
    with in_tenant(organisation.pk):
        found = documents.filter(pk=wanted).first() if wanted else None
    if found is None:
        raise DocumentNotFound
    found.organisation = found.collection.organisation = organisation
    return found


def readable_collections(user: User, organisation: Organisation) -> QuerySet[Collection]:
    """Those ``user`` may read, and those they may only change; to be read ``in_tenant``."""
    readable = Collection.objects.readable_by(user, organisation)
    return readable | editable_collections(user, organisation)


def editable_collections(user: User, organisation: Organisation) -> QuerySet[Collection]:
    """Those ``user`` may change; to be read ``in_tenant``."""
    membership = find_membership(user, organisation.pk)
    if membership is None:
        return Collection.objects.none()
    allowed = Q(created_by=user) | Q(pk__in=managed_ids(user, organisation, COLLECTION))
    if membership.is_admin:
        readable = Collection.objects.readable_by(user, organisation).values("pk")
        allowed |= Q(created_by=None) | Q(pk__in=readable)
    return Collection.objects.filter(allowed, organisation=organisation)


def editable_agents(user: User, organisation: Organisation) -> QuerySet[Agent]:
    """All agents ``user`` may change, switched off ones included."""
    own = Q(created_by=user, kind=AgentKind.USER_AGENT)
    return _editable(Agent.objects.all(), "agent", own, user, organisation)


def editable_prompts(user: User, organisation: Organisation) -> QuerySet[Prompt]:
    """All prompts ``user`` may change."""
    return _editable(Prompt.objects.all(), "prompt", Q(created_by=user), user, organisation)


def editable_tools(user: User, organisation: Organisation) -> QuerySet[Tool]:
    """All rows of tools ``user`` may change."""
    return _editable(Tool.objects.all(), "tool", Q(created_by=user), user, organisation)


def _editable(
    rows: QuerySet[Row], object_type: str, own: Q, user: User, organisation: Organisation
) -> QuerySet[Row]:
    membership = find_membership(user, organisation.pk)
    if membership is None:
        return rows.none()
    rows = rows.filter(organisation=organisation)
    if membership.is_admin:
        return rows
    return rows.filter(own | Q(pk__in=managed_ids(user, organisation, object_type)))
