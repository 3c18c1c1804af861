"""What can go wrong in a conversation, as typed errors."""

from one_project.common.errors import Conflict, InvalidInput, NotFound


class ThreadNotFound(NotFound):
    """No such thread, or not for this person."""

    code = "thread_not_found"
    user_message = "This thread does not exist, or you have no access to it."


class MessageNotFound(NotFound):
    """No such message in this thread."""

    code = "message_not_found"
    user_message = "This message does not exist."


class MessageTooLong(InvalidInput):
    """The text is over the limit (bytes of UTF-8)."""

    code = "message_too_long"
    status = 413


class InvalidOrder(InvalidInput):
    """An order that rows MS-4 to MS-7 do not allow."""

    code = "invalid_order"


class TurnOver(Conflict):
    """The turn has ended already."""

    code = "turn_over"
    user_message = "This answer has already ended."


class EscalationNotFound(NotFound):
    """No such escalation, or not for this person."""

    code = "escalation_not_found"
    user_message = "This does not exist, or you have no access to it."


class TaskNotFound(NotFound):
    """No such task of this person."""

    code = "task_not_found"
    user_message = "This task does not exist."


class CanvasNotFound(NotFound):
    """The thread has no canvas, or not this version of it."""

    code = "canvas_not_found"
    user_message = "This version of the canvas does not exist."


class CanvasTooLong(InvalidInput):
    """The text is over the limit (characters)."""

    code = "canvas_too_long"
    status = 413
