"""What Apprise gets instead of the library ``requests``: the guarded session, one deadline for all
requests of a message, and a note of how the last one went."""

import contextvars
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from integrations_app.errors import AddressRefused, BadAddress, RequestFailed, RequestTimedOut
from integrations_app.providers.sync_http import NotConnected, guarded_session

MAX_ANSWER: Final = 256 * 1024


@dataclass
class Talk:
    """The requests of one message. status: of the last answer. is_silent: a request was written
    and there was no answer; refused: the address is not public."""

    end: float
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    is_silent: bool = False
    is_unreachable: bool = False
    refused: AddressRefused | BadAddress | None = None


_talk: contextvars.ContextVar[Talk] = contextvars.ContextVar("apprise_talk")


def begin(seconds: float) -> Talk:
    """For the calls that this thread makes from now on."""
    talk = Talk(end=time.monotonic() + seconds)
    _talk.set(talk)
    return talk


class Requests:
    """Stands for the module ``requests`` in a plugin; without a ``begin`` it opens nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)

    def get(self, url: str, **options: Any) -> requests.Response:
        return self.request("GET", url, **options)

    def post(self, url: str, data: Any = None, json: Any = None, **options: Any) -> Any:
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> requests.Response:
        return self.request("PUT", url, data=data, **options)

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        talk = _talk.get()
        seconds = talk.end - time.monotonic()
        talk.status, talk.headers = 0, {}
        talk.is_unreachable = talk.is_silent = False
        if seconds <= 0:
            talk.is_unreachable = True
            raise requests.Timeout
        # Of what a plugin says of its connection, nothing counts.
        given = {key: options[key] for key in _TAKEN if options.get(key) is not None}
        try:
            with guarded_session(timeout=seconds, max_bytes=MAX_ANSWER) as session:
                response = session.request(method, url, allow_redirects=False, **given)
        except (AddressRefused, BadAddress) as error:
            talk.refused = error
            raise requests.ConnectionError from None
        except requests.RequestException as error:
            talk.is_unreachable = _never_connected(error)
            talk.is_silent = not talk.is_unreachable
            raise requests.ConnectionError from None
        except (RequestFailed, RequestTimedOut, OSError):
            talk.is_silent = True
            raise requests.Timeout from None
        talk.status, talk.headers = response.status_code, response.headers
        return response


_TAKEN: Final = ("data", "json", "params", "headers", "auth")


def _never_connected(error: requests.RequestException) -> bool:
    return isinstance(error, NotConnected)
