"""What can go wrong around agents, as typed errors."""

from one_project.common.errors import AppError, NotFound


class AgentNotFound(NotFound):
    """No such agent, or not for this person."""

    code = "agent_not_found"
    user_message = "This agent does not exist, or you have no access to it."


class AgentExecutionError(AppError):
    """An agent could not answer. ``cause`` goes to the log and the event, not to people."""

    code = "agent_error"
    status = 502
    retryable = True
    user_message = "Failed to generate a response. Please try again."

    def __init__(self, agent: str, thread: str, cause: object) -> None:
        self.agent = agent
        self.thread = thread
        self.cause = cause
        super().__init__(detail=f"agent {agent} in thread {thread}: {cause}")
