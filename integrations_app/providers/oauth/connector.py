"""The base of providers whose content agents search and read through a person's linked account.

What comes back was written by strangers: whoever hands it to a model says so.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import orjson

from integrations_app.errors import (
    AuthFailed,
    NotReached,
    Permanent,
    RateLimited,
    RequestFailed,
    Transient,
)
from integrations_app.providers import http
from integrations_app.providers.base import Accepted, Account, Content, Provider, Target
from integrations_app.providers.oauth.client import OAuthApp, probe
from integrations_app.providers.oauth.forms import AppCredentials
from integrations_app.providers.oauth.services import service_of
from integrations_app.types import ChannelType

MAX_FILE_BYTES: Final = 5_000_000
_MAX_JSON: Final = 2_000_000
# A wait that the service asks for is kept to within a read when it is this short (seconds).
_PATIENCE: Final = 5.0
_TRIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One hit. ``modified``: as the service writes it, ISO 8601; ``snippet`` may be empty."""

    id: str
    title: str
    url: str = ""
    modified: str = ""
    snippet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file or page. Either ``text``, or ``body`` of ``media_type`` for who reads files."""

    title: str
    url: str = ""
    modified: str = ""
    text: str | None = None
    body: bytes = b""
    media_type: str = ""
    is_cut: bool = False


class NotThere(Permanent):
    code = "not_there"
    user_message = "There is nothing of this id, or the account may not see it."


class Connector(Provider):
    """Searches and reads; nothing is sent through it."""

    channel_type = ChannelType.KNOWLEDGE
    credentials_model = AppCredentials
    uses_connections = True
    # Headers of every request.
    headers: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    async def who(self, account: Account) -> tuple[str, str]:
        """Id and name of the linked account; empty where the service does not say."""

    @abstractmethod
    async def search(self, account: Account, query: str, *, limit: int) -> list[Found]:
        """The best hits first. Raises AuthFailed, RateLimited, Transient, Permanent."""

    @abstractmethod
    async def read(self, account: Account, item_id: str) -> Opened:
        """One of them. Raises NotThere and as ``search``."""

    async def test_connection(self, account: Account) -> str:
        service = service_of(self.slug)
        await probe(app_of(service.slug, account), 15.0)
        return f"{self.title} knows this app. People can connect their accounts."

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        raise Permanent("Nothing can be sent through this.")

    async def asked(self, account: Account, url: str, **options: Any) -> dict[str, Any]:
        """One request of the account, its answer as a JSON object."""
        found = await self.fetched(account, url, max_bytes=_MAX_JSON, **options)
        try:
            value = orjson.loads(found.body)
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            raise Permanent("The service gave an answer that cannot be read.")
        return value

    async def fetched(
        self, account: Account, url: str, *, again: bool = True, **options: Any
    ) -> http.Fetched:
        """One request of the account; asks again (where ``again``) after a short wait that the
        service wants. The token does not follow redirects to other sites."""
        bearer = f"Bearer {account.token.get('access_token', '')}"
        headers = {"Authorization": bearer, "Accept": "application/json", **self.headers}
        for tries in range(1, _TRIES + 1):
            try:
                found = await http.fetch(url, headers=headers, timeout=15.0, **options)
            except NotReached as error:
                raise Transient(detail=error.detail) from None
            except RequestFailed as error:
                raise _Unanswered(error.user_message, detail=error.detail) from None
            problem = _problem(found)
            if problem is None:
                return found
            wait = problem.retry_after if isinstance(problem, RateLimited) else None
            if not again or tries == _TRIES or wait is None or wait > _PATIENCE:
                raise problem
            await asyncio.sleep(wait)
        raise AssertionError


class _Unanswered(Transient):
    """Something was asked and nothing came back: it may have been done."""

    code = "no_answer"


def is_unanswered(error: Exception) -> bool:
    """Whether what was asked may have been done all the same."""
    status = getattr(error, "http_status", None)
    return isinstance(error, _Unanswered) or (status is not None and status >= 500)


def app_of(slug: str, account: Account) -> OAuthApp:
    """Our app at the service. Raises Permanent where the integration holds none."""
    client_id = getattr(account.credentials, "client_id", "")
    secret = getattr(account.credentials, "client_secret", None)
    if not client_id or secret is None or not secret.get_secret_value():
        raise Permanent("This integration has no client ID and secret, so nobody can connect.")
    return OAuthApp(
        service=service_of(slug),
        client_id=client_id,
        client_secret=secret.get_secret_value(),
        form=account.settings,
    )


def _problem(found: http.Fetched) -> AuthFailed | Permanent | Transient | None:
    """What is wrong with an answer. The service's own words stay outside."""
    status = found.status
    if found.is_ok:
        return None
    if status == 401:
        return AuthFailed("The connected account was not accepted.", http_status=status)
    if status == 429 or (status in (403, 503) and "retry-after" in _headers(found)):
        return RateLimited(_seconds(_headers(found).get("retry-after", "")), http_status=status)
    if status == 403:
        return Permanent(
            "The connected account may not do this.", code="forbidden", http_status=status
        )
    if status in (404, 410):
        return NotThere(http_status=status)
    if status >= 500 or status == 408:
        return Transient(http_status=status)
    return Permanent("The service did not accept the question.", code="refused", http_status=status)


def _headers(found: http.Fetched) -> dict[str, str]:
    given: Mapping[str, str] = getattr(found, "headers", {})
    return {name.lower(): value for name, value in given.items()}


def _seconds(text: str) -> float | None:
    try:
        return max(0.0, float(text)) if text else 1.0
    except ValueError:
        return None
