"""The base of all providers that django-anymail speaks to over HTTP.

A subclass names anymail's backend, its place, its forms, and how the credentials are tried; what
its own answers and signatures mean where they are special. Each message has a backend object of its
own with the integration's keys: nothing is read from settings of the project.
"""

import json
from abc import abstractmethod
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar
from urllib.parse import urljoin

from anymail.exceptions import AnymailError, AnymailInvalidAddress, AnymailRecipientsRefused
from django.core.mail import EmailMultiAlternatives
from django.utils.module_loading import import_string
from pydantic import SecretStr

from integrations_app.errors import (
    AddressRefused,
    BadAddress,
    BadTarget,
    OutcomeUnknown,
    Permanent,
    RequestFailed,
    SendError,
    Transient,
)
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Provider,
    Request,
    StatusEvent,
    Target,
)
from integrations_app.providers.http import Fetched, fetch
from integrations_app.providers.mail import tracking
from integrations_app.providers.mail.attempt import Attempt, within
from integrations_app.providers.mail.letters import letter, message_id_of
from integrations_app.providers.mail.refusals import code_of, meaning, wait_of
from integrations_app.providers.mail.session import LetterSession, was_not_connected, word_of
from integrations_app.providers.places import base_url
from integrations_app.types import ChannelType, EndpointType

TEST_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A request that tries credentials and changes nothing. ``path``: from the base address."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Any = field(default=None, repr=False)


class MailProvider(Provider):
    """Makes the letter and hands it over in a thread of its own, within the deadline."""

    channel_type = ChannelType.EMAIL
    endpoint_types = (EndpointType.EMAIL,)

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        message_id = message_id_of(account.settings, idempotency_key)
        made = letter(content, target, account.settings, message_id=message_id)

        def call(attempt: Attempt) -> Accepted:
            return self.hand_over(account, made, attempt, idempotency_key)

        return await within(deadline, call)

    @abstractmethod
    def hand_over(
        self, account: Account, made: EmailMultiAlternatives, attempt: Attempt, key: str
    ) -> Accepted:
        """Send the letter; blocks. ``attempt.begin()`` comes before anything leaves. key: for
        idempotency. Raises SendError."""


class AnymailProvider(MailProvider):
    """See the module. ``backend``, ``tracker``: dotted names of anymail's classes, "" for none."""

    has_webhook = True
    backend: ClassVar[str]
    tracker: ClassVar[str] = ""

    @abstractmethod
    def options(self, account: Account) -> dict[str, Any]:
        """What anymail's backend takes besides its address: the keys."""

    @abstractmethod
    def probe(self, account: Account) -> Probe:
        """How the credentials are tried."""

    def place(self, settings: Any) -> str:
        """The base address, without a slash at the end."""
        return base_url(self.slug)

    def found(self, account: Account, body: Any) -> str:
        """A sentence about what the probe found. Raises SendError where it is not good enough."""
        return f"{self.title} accepts the key."

    def special(self, status: int, body: Any) -> SendError | None:
        """What an answer means where its status does not say it: of a send or a probe."""
        return None

    def is_good(self, status: int, body: Any) -> bool:
        """Whether a refusal of the probe says that the key is good."""
        return False

    def is_about_target(self, status: int, body: Any) -> bool:
        """Whether a refusal is about the address the message goes to."""
        return False

    def is_soft(self, event: Mapping[str, Any]) -> bool:
        """Whether a bounce is for now only, in the provider's own event."""
        return False

    def headers(self, idempotency_key: str) -> dict[str, str]:
        """Headers of the request to the provider."""
        return {}

    async def test_connection(self, account: Account) -> str:
        probe = self.probe(account)
        url = urljoin(self.place(account.settings) + "/", probe.path)
        headers = {"Accept": "application/json", **probe.headers}
        failed: SendError
        try:
            answer = await fetch(
                url, method=probe.method, headers=headers, json=probe.json, timeout=TEST_SECONDS
            )
        except (AddressRefused, BadAddress) as error:
            failed = Permanent(error.user_message, code=error.code)
        except RequestFailed as error:
            failed = Transient(error.user_message, code=error.code)
        else:
            return self._tested(account, answer)
        raise failed

    def _tested(self, account: Account, answer: Fetched) -> str:
        body = _json_of(answer.text)
        refusal = self._refusal(answer.status, body, answer.headers)
        if isinstance(refusal, OutcomeUnknown):  # nothing was to be sent
            raise Transient(code=refusal.code, http_status=answer.status)
        if refusal is not None and not self.is_good(answer.status, body):
            raise refusal
        try:
            return self.found(account, body)
        except (AttributeError, LookupError, TypeError):
            pass
        raise Permanent("The server answers, but not as this provider does.", code="bad_answer")

    def hand_over(
        self, account: Account, made: EmailMultiAlternatives, attempt: Attempt, key: str
    ) -> Accepted:
        backend = _class(self.backend)(
            api_url=self.place(account.settings) + "/", **self.options(account)
        )
        session = LetterSession(attempt, self.headers(key))
        backend.session = session
        failed: SendError
        try:
            backend.send_messages([made])
            return accepted(made) or self._not_taken(made)
        except SendError as error:
            failed = error
        except (AddressRefused, BadAddress) as error:
            failed = Permanent(error.user_message, code=error.code)
        except AnymailRecipientsRefused:
            failed = BadTarget(code="rejected")
        except AnymailInvalidAddress:
            failed = BadTarget(code="invalid_address")
        except (RequestFailed, AnymailError, *tracking.UNREADABLE) as error:
            failed = self._broken(error, session)
        finally:
            session.guarded.close()
        # Outside of the except: anymail's errors hold the letter, the answer and sometimes the key.
        raise failed

    def _not_taken(self, made: Any) -> Accepted:
        answer = getattr(made.anymail_status, "esp_response", None)
        body = _json_of(getattr(answer, "text", ""))
        status = getattr(answer, "status_code", 400)
        raise self._refusal(status, body, {}) or Permanent(code=code_of(body))

    def _broken(self, error: Exception, session: LetterSession) -> SendError:
        """What a request means that ended with an error."""
        answer = session.answer
        if answer is not None:
            body = _json_of(answer.text)
            refusal = self._refusal(answer.status_code, body, answer.headers)
            # A good status with an answer that cannot be read: it was most likely sent.
            return refusal or OutcomeUnknown(code="bad_answer", http_status=answer.status_code)
        if not session.is_begun:
            return Permanent("The message cannot be put as this provider takes it.", code="format")
        kind = Transient if was_not_connected(error) else OutcomeUnknown
        return kind(code=word_of(error))

    def _refusal(self, status: int, body: Any, headers: Mapping[str, str]) -> SendError | None:
        """None for an answer that is good."""
        special = self.special(status, body)
        if special is not None:
            special.http_status = status
            return special
        if 200 <= status < 300:
            return None
        return meaning(
            status,
            code=code_of(body),
            retry_after=wait_of(headers),
            is_target=self.is_about_target(status, body),
        )

    def parse_status(self, account: Account, request: Request) -> list[StatusEvent]:
        if not self.tracker:
            return []
        # Their views are made for settings of the whole project; only their reading is used.
        view = object.__new__(_class(self.tracker))
        return tracking.read(
            lambda: view.parse_events(tracking.django_request(request)), self.is_soft
        )


def accepted(made: Any) -> Accepted | None:
    """What anymail read of the answer for the one receiver; None when it was not taken. Raises
    BadTarget."""
    one = next(iter(made.anymail_status.recipients.values()), None)
    if one is None or one.status in ("invalid", "rejected"):
        raise BadTarget(code="rejected")
    if one.status == "failed" or (one.status == "unknown" and not one.message_id):
        return None
    return Accepted(message_id="".join(filter(str.isprintable, str(one.message_id or "")))[:300])


def basic(user: str, password: SecretStr) -> dict[str, str]:
    """The header of basic authentication."""
    pair = f"{user}:{password.get_secret_value()}".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


@cache
def _class(name: str) -> Any:
    # Late: anymail's modules are only loaded for the providers that are in use.
    return import_string(name)


def _json_of(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
