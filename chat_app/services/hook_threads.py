"""Events from outside that begin a thread: an agent is told of them, for the hook's person."""

from agents_app.access import access_agent
from agents_app.models import Agent
from billing_app.services.sending import take_thread
from chat_app.services.conversation import start_thread
from integrations_app.models import HookTarget, InboundEvent, InboundHook
from integrations_app.services.hooks import Target, register_target
from integrations_app.services.inbound import text_of
from one_project.accounts.models import Organisation, User

LISTED = 200


def agents_of(user: User, organisation: Organisation) -> list[tuple[str, str]]:
    """The agents the person may have answer."""
    rows = Agent.objects.usable_by(user, organisation).order_by("name")
    return [(str(pk), name) for pk, name in rows.values_list("pk", "name")[:LISTED]]


def begin_thread(hook: InboundHook, event: InboundEvent) -> str:
    """A thread of the hook's person, in which the agent is told what came; for one event one.

    As many as a person may begin: raises RateLimited, so that a flood of events waits.
    """
    take_thread(hook.organisation, hook.user)
    agent = access_agent(hook.user, hook.organisation, hook.config.get("agent"))
    thread, _ = start_thread(
        hook.organisation,
        user=hook.user,
        agent=agent,
        message=f"Event “{event.kind}” of the hook “{hook.name}”. {text_of(event)}",
        client_key=event.pk,
    )
    return f"Began a thread: {thread.pk}"


register_target(HookTarget.THREAD, Target(config="agent", choices=agents_of, act=begin_thread))
