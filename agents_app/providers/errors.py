"""Why a model call failed, in words for people and in codes for the retry policy.

Not an HTTP or SDK error: those are translated where they arise (`openai_errors`). With
`budget_exceeded` the model was never asked; the message says which limit, and what to do.
"""

from typing import Final, Literal, TypeAlias

ErrorCode: TypeAlias = Literal[
    "rate_limited",
    "quota_exhausted",
    "overloaded",
    "server_error",
    "connection",
    "timeout",
    "auth",
    "bad_request",
    "context_too_long",
    "content_filter",
    "not_found",
    "invalid_response",
    "budget_exceeded",
]

MESSAGES: Final[dict[ErrorCode, str]] = {
    "rate_limited": "The model is getting too many requests right now. Please try again shortly.",
    "quota_exhausted": "The model account has no credit left. Please tell an administrator.",
    "overloaded": "The model is overloaded right now. Please try again shortly.",
    "server_error": "The model service had a problem. Please try again.",
    "connection": "The model could not be reached. Please try again.",
    "timeout": "The model took too long to answer. Please try again.",
    "auth": "The model refused our credentials. Please tell an administrator.",
    "bad_request": "The model could not accept this request.",
    "context_too_long": "This conversation is too long for the model. Start a new thread or use "
    "a model with a larger context.",
    "content_filter": "The model's provider declined this request because of its content rules.",
    "not_found": "This model is not available. Please choose another one.",
    "invalid_response": "The model sent an answer that could not be read.",
    "budget_exceeded": "A budget does not cover this answer. Please tell an administrator.",
}

CUT_OFF = "The answer was cut off. Please try again."

RETRYABLE: Final[frozenset[ErrorCode]] = frozenset(
    {"rate_limited", "overloaded", "server_error", "connection", "timeout"}
)


class ModelError(Exception):
    """A model call failed.

    code: what happened. message_for_person: safe to show; never holds keys or bodies.
    retryable: whether the same request may succeed later. retry_after: seconds the provider asks
    to wait, or None. status: HTTP status, or None when there was none. detail: for the log only.
    """

    def __init__(
        self,
        code: ErrorCode,
        message_for_person: str = "",
        *,
        retryable: bool | None = None,
        retry_after: float | None = None,
        status: int | None = None,
        detail: str = "",
    ) -> None:
        self.code: ErrorCode = code
        self.message_for_person = message_for_person or MESSAGES[code]
        self.retryable = code in RETRYABLE if retryable is None else retryable
        self.retry_after = retry_after
        self.status = status
        self.detail = detail
        super().__init__(self.message_for_person)

    def __repr__(self) -> str:
        # For logs and test output; str() stays the sentence for people.
        return (
            f"ModelError({self.code!r}, status={self.status}, retryable={self.retryable}, "
            f"retry_after={self.retry_after}, detail={self.detail!r})"
        )
