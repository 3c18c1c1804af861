"""Which agents a person may use. Missing and forbidden look the same."""

from uuid import UUID

from agents_app.errors import AgentNotFound
from agents_app.models import Agent
from one_project.accounts.models import Organisation, User
from one_project.common.ids import parse_id


def access_agent(user: User, organisation: Organisation, agent_id: UUID | str | None) -> Agent:
    """The active agent, if ``user`` may use it in ``organisation``. Raises AgentNotFound."""
    wanted = parse_id(agent_id)
    agent = wanted and Agent.objects.usable_by(user, organisation).filter(pk=wanted).first()
    if not agent:
        raise AgentNotFound
    return agent
