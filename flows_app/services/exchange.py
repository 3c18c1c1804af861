"""Flows out of and into an organisation; the format is told in ``runtime.exchange``."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import Count

from agents_app.models import Agent
from flows_app.access import require_staff
from flows_app.errors import FlowNotFound
from flows_app.models import Flow, FlowRevision
from flows_app.runtime.exchange import read_document, write_document
from flows_app.runtime.exchange_fields import AgentRef
from flows_app.services.copying import free_name
from flows_app.services.flows import create_flow
from flows_app.services.workflow_steps import flow_workflows
from flows_app.services.writing_steps import drafts_of
from flows_app.types import StepDraft
from one_project.accounts.models import Organisation, User
from one_project.common.errors import AccessDenied


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What an import would make. ``name`` is free; ``asked`` is what the document calls it.

    ``remarks``: name of the step and what will not be as the document has it.
    """

    name: str
    asked: str
    description: str
    completion_message: str
    steps: list[StepDraft]
    remarks: list[tuple[str, str]]


def export_flow(flow: Flow, revision: FlowRevision | None = None) -> dict[str, Any]:
    """The whole flow as a document: of ``revision``, else what is published, else the draft."""
    chosen = revision or flow.published or flow.draft
    if chosen is None or chosen.flow_id != flow.pk:
        raise FlowNotFound
    steps = drafts_of(chosen)
    agents = Agent.objects.filter(pk__in=[one.agent_id for one in steps if one.agent_id])
    return write_document(
        name=flow.name,
        description=flow.description,
        completion_message=chosen.completion_message,
        steps=steps,
        agents={one.pk: AgentRef(name=one.name, code_name=one.code_name) for one in agents},
    )


def preview_import(organisation: Organisation, data: bytes | str, *, by: User) -> Import:
    """What ``import_flow`` would make of the document. Raises InvalidInput with the place."""
    require_staff(by, organisation, AccessDenied)
    document = read_document(data)
    agents = _agents(organisation, by, document.agents.values())
    remarks = list(document.remarks)
    steps = []
    for step in document.steps:
        wanted = document.agents.get(step.key)
        agent = agents.get((wanted.name, wanted.code_name)) if wanted else None
        if wanted and agent is None:
            told = f"There is no agent “{wanted.name or wanted.code_name}” here. Choose another."
            remarks.append((step.name, told))
        workflow = step.settings.get("workflow")
        if workflow and workflow not in dict(flow_workflows()):
            remarks.append((step.name, f"There is no workflow “{workflow}” here. Choose another."))
        steps.append(replace(step, agent_id=agent))
    return Import(
        name=free_name(organisation, document.name),
        asked=document.name,
        description=document.description,
        completion_message=document.completion_message,
        steps=steps,
        remarks=remarks,
    )


def import_flow(organisation: Organisation, data: bytes | str, *, by: User, name: str = "") -> Flow:
    """A new flow with a draft as the document has it, called ``name`` or what is free.

    Raises InvalidInput with the place of what is wrong, or where ``name`` is taken.
    """
    found = preview_import(organisation, data, by=by)
    return create_flow(
        organisation,
        by=by,
        name=name or found.name,
        description=found.description,
        steps=found.steps,
        completion_message=found.completion_message,
    )


def _agents(
    organisation: Organisation, by: User, wanted: Iterable[AgentRef]
) -> dict[tuple[str, str], UUID]:
    """By name and code name: the code name decides, else a name that only one of them has."""
    refs = {(one.name, one.code_name) for one in wanted}
    if not refs:
        return {}
    usable = Agent.objects.usable_by(by, organisation)
    codes = dict(
        usable.filter(code_name__in=[code for _, code in refs if code]).values_list(
            "code_name", "pk"
        )
    )
    rows = usable.filter(name__in=[name for name, _ in refs if name])
    once = rows.order_by().values("name").annotate(number=Count("pk")).filter(number=1)
    names = dict(rows.filter(name__in=once.values("name")).values_list("name", "pk"))
    found = {(name, code): codes.get(code) or names.get(name) for name, code in refs}
    return {ref: key for ref, key in found.items() if key is not None}
