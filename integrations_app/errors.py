"""What can go wrong with the world outside, as typed errors."""

from one_project.common.errors import AppError, InvalidInput


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
