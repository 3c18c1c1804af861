"""What an exception in a step means for its attempt."""

import traceback

from one_project.common.text import clean_text
from one_project.workflows.conf import MAX_ERROR
from one_project.workflows.errors import InvalidData, NonRetryable, StepFailed, TryLater
from one_project.workflows.types import Failure, Outcome, Status


def outcome_of(error: BaseException) -> Outcome:
    """A failed attempt, with the traceback for staff."""
    retryable = not isinstance(error, (NonRetryable, InvalidData))
    put_off = error.seconds if isinstance(error, TryLater) else None
    failure = failure_of(error)
    return Outcome(status=Status.ERROR, failure=failure, retryable=retryable, put_off=put_off)


def failure_of(error: BaseException) -> Failure:
    trace = "".join(traceback.format_exception(error))
    # Of a failed step the kind of its own error; else what it is called.
    own = error.kind if isinstance(error, StepFailed) else ""
    kind = own or type(error).__name__
    return Failure(
        kind=kind, message=clean_text(str(error))[:2000], traceback=clean_text(trace)[-MAX_ERROR:]
    )
