"""Who does something to progress: a person, an agent for a person, or ONE itself."""

from dataclasses import dataclass

from agents_app.models import Agent
from flows_app.models import ActorType
from one_project.accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """``user``: whose rights hold. ``agent``: who acts, if not the person themself.

    With neither, it is ONE: a workflow that ended, a prior completion that was credited.
    """

    user: User | None = None
    agent: Agent | None = None

    @property
    def type(self) -> ActorType:
        if self.agent is not None:
            return ActorType.AGENT
        return ActorType.USER if self.user is not None else ActorType.SYSTEM

    @property
    def name(self) -> str:
        if self.agent is not None:
            return self.agent.name
        return self.user.display_name if self.user is not None else "ONE"


SYSTEM = Actor()
