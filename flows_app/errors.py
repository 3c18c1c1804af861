"""What can go wrong with flows and lessons, in words for people."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from one_project.common.errors import AccessDenied, Conflict, InvalidInput, NotFound


class FlowNotFound(NotFound):
    code = "flow_not_found"


class CourseNotFound(NotFound):
    code = "course_not_found"


class LessonNotFound(NotFound):
    code = "lesson_not_found"


class StepNotFound(NotFound):
    code = "step_not_found"
    user_message = "This flow has no such step."


class SubmissionNotFound(NotFound):
    code = "submission_not_found"


class CommentNotFound(NotFound):
    code = "comment_not_found"


class FlowCycle(InvalidInput):
    """Steps that wait for one another; ``steps`` are their names, in the order of the circle."""

    code = "flow_cycle"

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps
        circle = " → ".join([*steps, steps[0]])
        super().__init__(f"These steps wait for one another and could never begin: {circle}.")


class InvalidSteps(InvalidInput):
    """Steps that cannot be as they are; ``problems``: what to change, by the key of the step."""

    code = "invalid_steps"

    def __init__(self, problems: Mapping[UUID, str]) -> None:
        self.problems = dict(problems)
        super().__init__(next(iter(self.problems.values())))


class IllegalTransition(Conflict):
    """The status cannot follow the one there is."""

    code = "illegal_transition"


class ReasonMissing(InvalidInput):
    code = "reason_missing"


class StepLocked(Conflict):
    """Steps that come before are not done."""

    code = "step_locked"


class NotByHand(AccessDenied):
    """What the step asks for is not there yet, or somebody else has to say so."""

    code = "not_by_hand"


class StaleProgress(Conflict):
    """The form was about an older state. ``now`` is the row as it is (a StepState or None)."""

    code = "stale_progress"

    def __init__(self, message: str, now: Any = None) -> None:
        self.now = now
        super().__init__(message)


class AlreadyAssigned(Conflict):
    code = "already_assigned"
    user_message = "This is assigned already. Restart it to begin again."


class StaleSubmission(Conflict):
    """A draft that something newer has overtaken, or that was decided already."""

    code = "stale_submission"


class FourEyes(AccessDenied):
    code = "four_eyes"
    user_message = "Somebody else has to review this: it must not be whose work or agent it is."
