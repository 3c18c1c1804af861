"""What can go wrong with durable work, for people, programs and workflow functions."""

from one_project.common.errors import AppError, Conflict, InvalidInput, NotFound


class WorkflowNotFound(NotFound):
    """No such run, or the asker may not see it."""

    code = "workflow_not_found"
    user_message = "This workflow does not exist, or you have no access to it."


class UnknownDefinition(InvalidInput):
    """No function is registered under this name."""

    code = "unknown_definition"


class TooLarge(InvalidInput):
    """Arguments, a result, an event or a journal above its limit."""

    code = "too_large"


class InvalidData(InvalidInput):
    """Arguments, a result or an event that are not what the function's annotations say."""

    code = "invalid_data"


class WorkflowFinished(Conflict):
    """The run has ended; the verb needs one that goes on."""

    code = "workflow_finished"
    user_message = "This workflow has already ended."


class WorkflowRunning(Conflict):
    """The run still goes on; the verb needs one that has ended."""

    code = "workflow_running"
    user_message = "This workflow is still running."


class NonRetryable(Exception):
    """Raise it in a step: the step fails at once, whatever its retry policy says (WP-6)."""


class TryLater(Exception):
    """Raise it in a step: not now, but in ``seconds``; this attempt does not count."""

    def __init__(self, seconds: float, why: str = "") -> None:
        self.seconds = seconds
        super().__init__(why or f"again in {seconds:g} s")


class StepError(Exception):
    """A step did not give a result. Raised where a workflow function awaits it.

    ``step`` is the step's name, ``kind`` the class of the error that ended it.
    """

    def __init__(self, message: str, *, step: str = "", kind: str = "") -> None:
        self.step = step
        self.kind = kind
        super().__init__(message)


class StepFailed(StepError):
    """The step ran and failed for good."""


class StepCanceled(StepError):
    """The step was canceled before it had a result."""


class StepUnknown(StepError):
    """Its worker vanished in the middle: nobody can tell whether the effect happened.

    Only of actions without a retry policy (at most once). A person decides; see the docs.
    """


class WaitTimeout(StepError):
    """The event did not come in time."""


class DeterminismError(AppError):
    """The workflow function did not do what its journal says it did before."""

    code = "determinism"
    status = 409
