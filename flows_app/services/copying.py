"""Drafts that begin from something there is: a copy, an earlier revision; or are thrown away."""

from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction

from agents_app.models import Agent
from flows_app.access import require_staff
from flows_app.conf import NAME_LIMIT
from flows_app.errors import FlowNotFound
from flows_app.live.announce import announce_flows
from flows_app.models import Flow, FlowRevision
from flows_app.services.flows import begin_draft, create_flow, flow_name
from flows_app.services.writing_steps import drafts_of, write_steps
from flows_app.types import StepDraft
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.ids import new_id


@transaction.atomic
def duplicate_flow(flow: Flow, *, by: User) -> Flow:
    """A draft of its own with the same steps (of the draft, if there is one), under a free name."""
    require_staff(by, flow.organisation_id)
    source = flow.draft or flow.published
    steps = drafts_of(source) if source is not None else []
    keys = {step.key: new_id() for step in steps}
    copies = [
        replace(
            step,
            key=keys[step.key],
            prerequisites=tuple(keys[one] for one in step.prerequisites),
        )
        for step in steps
    ]
    return create_flow(
        flow.organisation,
        by=by,
        name=free_name(flow.organisation, f"Copy of {flow.name}"),
        description=flow.description,
        steps=_without_lost_agents(flow.organisation, by, copies),
        completion_message=source.completion_message if source is not None else "",
    )


def free_name(organisation: Organisation, name: str) -> str:
    """``name``, or with the first number that no other flow has: ``Onboarding (2)``."""
    name = flow_name(name)
    taken = {
        one.lower()
        for one in Flow.objects.active()
        .filter(organisation=organisation, name__istartswith=name[: NAME_LIMIT - 8])
        .values_list("name", flat=True)
    }
    number, found = 1, name
    while found.lower() in taken:
        number += 1
        found = f"{name[: NAME_LIMIT - 8]} ({number})"
    return found


@transaction.atomic
def draft_from(flow: Flow, revision: FlowRevision, *, by: User) -> FlowRevision:
    """Begin a draft with the steps of an earlier revision of the flow.

    Raises Conflict where a draft is there already: what somebody has written is not overwritten.
    """
    require_staff(by, flow.organisation_id)
    locked = Flow.objects.select_for_update().get(pk=flow.pk)
    if revision.flow_id != locked.pk:
        raise FlowNotFound
    if locked.draft_id is not None:
        raise Conflict("There is a draft already. Publish it or throw it away first.")
    draft = begin_draft(locked, by)
    draft.completion_message = revision.completion_message
    draft.save()
    write_steps(draft, drafts_of(revision), by, trusted=True)
    locked.draft = draft
    locked.save(update_fields=["draft", "updated_at"])
    announce_flows(flow.organisation_id)
    return draft


@transaction.atomic
def discard_draft(flow: Flow, *, by: User) -> Flow:
    """Throw away what is not published; the published steps are what there is again.

    Raises InvalidInput where there is nothing to throw away, or nothing else.
    """
    require_staff(by, flow.organisation_id)
    locked = Flow.objects.select_for_update().get(pk=flow.pk)
    draft = locked.draft
    if draft is None or locked.published_id is None:
        raise InvalidInput("There is no draft beside what is published.")
    locked.draft = None
    locked.save(update_fields=["draft", "updated_at"])
    draft.delete()
    record_event(locked.organisation, "flow_draft_discarded", actor=by, target=f"flow:{flow.pk}")
    announce_flows(flow.organisation_id)
    return locked


def _without_lost_agents(
    organisation: Organisation, by: User, steps: Sequence[StepDraft]
) -> list[StepDraft]:
    """For a copy: an agent that its maker may not use leaves its place empty."""
    wanted = {step.agent_id for step in steps if step.agent_id}
    usable = Agent.objects.usable_by(by, organisation).filter(pk__in=wanted)
    known = {*usable.values_list("pk", flat=True)}
    return [one if one.agent_id in known else replace(one, agent_id=None) for one in steps]
