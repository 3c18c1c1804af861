"""What an exception in a step means for its attempt."""

import traceback

from one_project.workflows.conf import MAX_ERROR
from one_project.workflows.errors import NonRetryable, TryLater
from one_project.workflows.types import Failure, Outcome, Status


def outcome_of(error: BaseException) -> Outcome:
    """A failed attempt, with the traceback for staff."""
    retryable = not isinstance(error, NonRetryable)
    put_off = error.seconds if isinstance(error, TryLater) else None
    failure = failure_of(error)
    return Outcome(status=Status.ERROR, failure=failure, retryable=retryable, put_off=put_off)


def failure_of(error: BaseException) -> Failure:
    trace = "".join(traceback.format_exception(error))
    kind = getattr(error, "kind", "") or type(error).__name__
    return Failure(kind=kind, message=str(error)[:2000], traceback=trace[-MAX_ERROR:])
