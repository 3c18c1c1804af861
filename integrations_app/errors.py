"""What can go wrong with the world outside, as typed errors."""

from typing import Any
from uuid import UUID

from one_project.common.errors import AppError, Conflict, InvalidInput, NotFound


class BadAddress(InvalidInput):
    """Not an address that can be fetched at all: its form, scheme or port."""

    code = "bad_address"
    user_message = "This is not a web address that can be opened."


class AddressRefused(InvalidInput):
    """The address leads into a network that nobody may reach from here."""

    code = "address_refused"
    user_message = "This address is not on the public internet, so it is not opened."


class RequestFailed(AppError):
    """Nothing came back. ``detail`` says why, for the log."""

    code = "request_failed"
    status = 502
    retryable = True
    user_message = "The address could not be reached."


class NotReached(RequestFailed):
    """There was no connection, so nothing was sent."""


class RequestTimedOut(RequestFailed):
    code = "request_timed_out"
    status = 504
    user_message = "The address took too long to answer."


class TooManyRedirects(RequestFailed):
    code = "too_many_redirects"
    retryable = False
    user_message = "The address forwards too often."


class ResponseTooLarge(RequestFailed):
    code = "response_too_large"
    retryable = False
    user_message = "What the address sends is too large."


class ResponseUnreadable(RequestFailed):
    """A compression that was not asked for, or one that is broken."""

    code = "response_unreadable"
    retryable = False
    user_message = "What the address sent cannot be read."


# --- Setting up ----------------------------------------------------------------------------------


class UnknownProvider(InvalidInput):
    code = "unknown_provider"
    user_message = "There is no such provider."


class InvalidSettings(InvalidInput):
    """``problems``: what to change, by the name of the field ("" is the whole); no values."""

    code = "invalid_settings"

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        first = next(iter(problems.items()), ("", ""))
        super().__init__(": ".join(filter(None, first)) or None)


class IntegrationNotFound(NotFound):
    code = "integration_not_found"
    user_message = "There is no such integration, or you have no access to it."


class ConnectionNotFound(NotFound):
    code = "connection_not_found"
    user_message = "There is no such connection, or you have no access to it."


class NotUsable(Conflict):
    """Paused, in error or not tested; or there is none to send through."""

    code = "not_usable"
    user_message = "This integration is not active."


class ConnectRequired(AppError):
    """The person has to connect their account first. ``integration_id``: through which."""

    code = "connect_required"
    status = 409
    user_message = "Please connect your account first."

    def __init__(self, integration_id: UUID | None, user_message: str | None = None) -> None:
        self.integration_id = integration_id
        super().__init__(user_message)


class ConsentFailed(InvalidInput):
    """An account was not connected. ``integration_id``, ``return_to``: to begin again with."""

    code = "consent_failed"
    user_message = "The account was not connected. Please begin again."

    def __init__(
        self,
        user_message: str | None = None,
        *,
        integration_id: UUID | None = None,
        return_to: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(user_message, detail=detail)
        self.integration_id = integration_id
        self.return_to = return_to


class KeyReused(InvalidInput):
    """The idempotency key was given with another message before."""

    code = "key_reused"
    user_message = "This idempotency key was used for another message."


# --- Sending: what a provider raises -----------------------------------------------------------


class SendError(AppError):
    """A message was not taken. ``code`` is the provider's word for it where it is one; the message
    is ours, for people; ``http_status`` what its server answered."""

    status = 502
    code = "send_failed"
    user_message = "The provider did not take the message."

    def __init__(
        self,
        user_message: str | None = None,
        *,
        code: str = "",
        http_status: int | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(user_message, detail=detail)
        self.code = code or type(self).code
        self.http_status = http_status


class Transient(SendError):
    """Surely not sent, and may work later: no connection, a 5xx that says so, 408."""

    code = "provider_down"
    retryable = True
    user_message = "The provider could not be reached."


class RateLimited(Transient):
    """The provider asks to wait ``retry_after`` seconds."""

    code = "rate_limited"
    user_message = "The provider asked to wait."

    def __init__(self, retry_after: float | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.retry_after = retry_after


class Permanent(SendError):
    """It will never be taken as it is."""

    code = "provider_refused"
    user_message = "The provider refused the message."


class BadTarget(Permanent):
    """This address will never take anything: unknown, blocked, unsubscribed."""

    code = "bad_target"
    user_message = "The provider does not know this address."


class AuthFailed(SendError):
    """The credentials were not accepted; repeated, the integration goes to ``error``."""

    code = "auth_failed"
    user_message = "The provider did not accept the credentials."


class OutcomeUnknown(SendError):
    """It may have been sent or not: never tried again."""

    code = "outcome_unknown"
    user_message = "It may have been sent or not; nobody tries again by itself."


class SignatureInvalid(AppError):
    """A webhook that its provider did not send, or not now."""

    code = "signature_invalid"
    status = 403
    user_message = "The signature of this request does not hold."


# --- Programs ------------------------------------------------------------------------------------


class KeyRefused(AppError):
    """No key, an unknown, expired or revoked one, or one whose person has left: all look alike."""

    code = "key_refused"
    status = 401
    user_message = "This needs a valid API key: Authorization: Bearer one_…"


class ScopeMissing(AppError):
    """The key is good, but not for this."""

    code = "scope_missing"
    status = 403
    user_message = "This key may not do that."
