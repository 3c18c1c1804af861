"""Workflows that events from outside may start: those on this list and no others."""

from flows_app.patterns.support import support_agent_workflow
from flows_app.steps import Asker
from integrations_app.models import InboundEvent, InboundHook
from integrations_app.services.inbound import allow_workflow, text_of
from one_project.workflows.services.runs import start


def answer_as_support(hook: InboundHook, event: InboundEvent) -> str:
    """Answer it in a new thread of the hook's person; one run for one event."""
    run = start(
        support_agent_workflow,
        Asker(organisation_id=hook.organisation_id, user_id=hook.user_id),
        text_of(event),
        organisation=hook.organisation,
        started_by=hook.user,
        key=f"hook:{event.pk}",
    )
    return f"Began a run: {run.pk}"


allow_workflow(support_agent_workflow.name, "Answer as support", answer_as_support)
