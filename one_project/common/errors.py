"""Typed errors: a sentence for the person, a code for the program, a status for HTTP.

An error never carries a secret; ``detail`` is for the log only.
"""


class AppError(Exception):
    """Base of every error a service raises on purpose.

    ``user_message`` is shown to people as it is; ``code`` is stable and read by programs;
    ``status`` is the HTTP status an interface answers with; ``retryable`` says whether the same
    call may succeed later without being changed, ``retry_after`` in how many seconds.
    """

    code = "error"
    status = 400
    retryable = False
    retry_after: float | None = None
    user_message = "This could not be done."

    def __init__(self, user_message: str | None = None, *, detail: str = "") -> None:
        if user_message is not None:
            self.user_message = user_message
        self.detail = detail
        super().__init__(detail or self.user_message)


class NotFound(AppError):
    """The row does not exist, or the asker may not know that it does: both look the same."""

    code = "not_found"
    status = 404
    user_message = "This page does not exist, or you have no access to it."


class AccessDenied(AppError):
    """The asker may see the thing but not do this to it."""

    code = "access_denied"
    status = 403
    user_message = "You do not have permission to do this."


class InvalidInput(AppError):
    """What was sent cannot be used; the message says what to change."""

    code = "invalid_input"
    status = 422
    user_message = "Please check what you entered."


class Conflict(AppError):
    """Somebody else changed the thing first, or it is not in the state the verb needs."""

    code = "conflict"
    status = 409
    user_message = "This was changed in the meantime. Please look at it again."
