"""One request of django-anymail through the door, and what it means when it ends with an error."""

import ssl
from collections.abc import Mapping
from typing import Any

import requests
import urllib3.exceptions as urllib3_errors

from integrations_app.providers.http import USER_AGENT
from integrations_app.providers.mail.attempt import Attempt
from integrations_app.providers.sync_http import guarded_session

_NO_CONNECTION = (
    requests.ConnectTimeout,
    urllib3_errors.NewConnectionError,
    ssl.SSLCertVerificationError,
)


class LetterSession:
    """Stands where anymail wants a session: one request through the door, within the deadline."""

    def __init__(self, attempt: Attempt, headers: Mapping[str, str]) -> None:
        self.guarded = guarded_session(timeout=attempt.left)
        self.answer: requests.Response | None = None
        self.is_begun = False
        self._attempt = attempt
        self._headers = headers

    def request(self, **options: Any) -> requests.Response:
        """As of requests; redirects are not followed, since they would be another request."""
        headers = {
            "User-Agent": USER_AGENT,
            **(options.pop("headers", None) or {}),
            **self._headers,
        }
        options |= {"timeout": self._attempt.left, "allow_redirects": False}
        self._attempt.begin()
        self.is_begun = True
        self.answer = self.guarded.request(headers=headers, **options)
        return self.answer


def was_not_connected(error: BaseException) -> bool:
    """Whether there was no connection, or none that could be trusted, so that nothing was sent.

    What says so lies below the errors of requests, which lie below those of anymail and the door.
    """
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        if isinstance(one, _NO_CONNECTION):
            return True
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return False


def word_of(error: Exception) -> str:
    shown = error.__cause__ if isinstance(error.__cause__, requests.RequestException) else error
    return str(getattr(shown, "code", None) or type(shown).__name__)[:60]
