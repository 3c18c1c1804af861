"""Which status follows which, and who may say so."""

from typing import Final

from flows_app.errors import IllegalTransition, ReasonMissing
from flows_app.models import Status, StepKind

# The database refuses everything else, too (migration 0002).
ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    Status.NOT_STARTED: (Status.IN_PROGRESS, Status.COMPLETED, Status.BLOCKED, Status.SKIPPED),
    Status.IN_PROGRESS: (Status.COMPLETED, Status.BLOCKED, Status.SKIPPED),
    Status.BLOCKED: (Status.IN_PROGRESS, Status.SKIPPED),
    Status.COMPLETED: (Status.IN_PROGRESS,),
    Status.SKIPPED: (Status.IN_PROGRESS,),
}
DONE: Final = (Status.COMPLETED, Status.SKIPPED)
# What can be Completed without having been begun.
ONE_CLICK: Final = (StepKind.READING, StepKind.CHECKLIST, StepKind.FORM, StepKind.FILE)
# Leaving these states takes staff and a reason: it takes back what counted as done.
REOPENED: Final = DONE


def check_transition(before: str, after: str, *, reason: str) -> None:
    """Raises IllegalTransition, or ReasonMissing for Blocked, Skipped and what is reopened."""
    if after not in ALLOWED[before]:
        can = ", ".join(ALLOWED[before])
        raise IllegalTransition(f"This step is {before}: it can become {can}, not {after}.")
    if reason.strip():
        return
    if after in {Status.BLOCKED, Status.SKIPPED}:
        raise ReasonMissing(f"Please say why it is {after.lower()}.")
    if before in REOPENED:
        raise ReasonMissing("Please say why it is opened again.")
