"""The talk with an authorisation server, through the door: codes for tokens, fresh ones, revoked.

Tokens come in and go out as dicts and are never logged; what a server says of an error is kept as
its one-word code.
"""

import re
import time
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx2
from authlib.integrations.base_client.errors import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import (  # type: ignore[import-untyped]
    AsyncOAuth2Client,
)
from authlib.oauth2.rfc6749.parameters import (  # type: ignore[import-untyped]
    prepare_grant_uri,
)
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]

from integrations_app.errors import (
    AddressRefused,
    AuthFailed,
    Permanent,
    RequestFailed,
    Transient,
)
from integrations_app.providers.guarded import USER_AGENT, Door
from integrations_app.providers.oauth.services import OAuthService, redirect_uri

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_MAX_BYTES: Final = 256 * 1024
# What is kept of an answer with a token; the rest is nobody's business.
_KEPT: Final = ("access_token", "refresh_token", "token_type")
_WORD: Final = re.compile(r"^[A-Za-z0-9_.-]{1,60}$")
# Words for "this app is not known here, or its secret is wrong".
APP_REFUSED: Final = {
    "invalid_client",
    "unauthorized_client",
    "invalid_client_id",
    "bad_client_secret",
}
# Words for "this consent does not hold (any more)".
_GRANT_GONE: Final = {
    "invalid_grant",
    "invalid_code",
    "code_already_used",
    "code_expired",
    "invalid_refresh_token",
    "token_revoked",
    "token_expired",
    "interaction_required",
    "consent_required",
}


class GrantGone(Permanent):
    """The consent is used up, expired or taken back: a person has to give it anew."""

    code = "invalid_grant"
    user_message = "The consent is not valid any more. Please connect again."


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthApp:
    """Our app at a service, opened for one use. ``form``: the integration's settings."""

    service: OAuthService
    client_id: str
    client_secret: str = field(repr=False)
    form: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A token, ``lifetime`` seconds long (None: without end), and what the answer says besides."""

    token: dict[str, Any] = field(repr=False)
    lifetime: int | None = None
    scopes: list[str] = field(default_factory=list)
    external_id: str = ""
    external_name: str = ""


class _Client(AsyncOAuth2Client):  # type: ignore[misc]
    """Authlib's, through the door; ``json_body``: for services that want JSON."""

    json_body = False

    async def request(self, method: str, url: Any, **options: Any) -> Any:
        if self.json_body and options.get("data"):
            options["json"] = options.pop("data")
            options["headers"] = {"Accept": "application/json"}
        return await super().request(method, url, **options)


def authorization_url(app: OAuthApp, *, state: str, verifier: str) -> str:
    """Where the person gives consent."""
    service = app.service
    scope = service.separator.join(service.scopes(app.form))
    extra = dict(service.extra)
    if service.pkce(app.form):
        extra["code_challenge"] = create_s256_code_challenge(verifier)
        extra["code_challenge_method"] = "S256"
    url = prepare_grant_uri(
        service.authorize_url(app.form),
        client_id=app.client_id,
        response_type="code",
        redirect_uri=redirect_uri(),
        scope=scope or None,
        state=state,
        **extra,
    )
    return str(url)


async def exchange(app: OAuthApp, *, code: str, verifier: str, deadline: float) -> Granted:
    """The token for a code. Raises GrantGone, AuthFailed (of the app), Transient, Permanent."""
    given = {"code_verifier": verifier} if app.service.pkce(app.form) else {}
    async with _talking(app, deadline) as client:
        answer = await client.fetch_token(
            app.service.token_url(app.form),
            grant_type="authorization_code",
            code=code,
            redirect_uri=redirect_uri(),
            **given,
        )
    return _granted(app, answer)


async def refresh(app: OAuthApp, *, refresh_token: str, deadline: float) -> Granted:
    """A fresh token; the refresh token stays where the server rotates none. Raises as above."""
    async with _talking(app, deadline) as client:
        client.token = {"refresh_token": refresh_token}
        answer = await client.refresh_token(
            app.service.token_url(app.form), refresh_token=refresh_token
        )
    granted = _granted(app, answer)
    granted.token.setdefault("refresh_token", refresh_token)
    return granted


async def revoke(app: OAuthApp, *, token: Mapping[str, Any], deadline: float) -> bool:
    """Give the token back; False where the service has no address for it. Raises as above."""
    url = app.service.revoke_url(app.form)
    value = str(token.get("refresh_token") or token.get("access_token") or "")
    if not url or not value:
        return False
    async with _talking(app, deadline) as client:
        if app.service.slug == "slack":
            # Slack takes back the token that the request comes with.
            bearer = {"Authorization": f"Bearer {token.get('access_token', '')}"}
            answer = await client.request("POST", url, withhold_token=True, headers=bearer)
        elif app.service.json_body:
            answer = await client.request(
                "POST",
                url,
                withhold_token=True,
                auth=(app.client_id, app.client_secret),
                data={"token": str(token.get("access_token", ""))},
            )
        else:
            answer = await client.revoke_token(url, token=value)
    return bool(answer.is_success)


async def probe(app: OAuthApp, deadline: float) -> None:
    """Whether the service knows our app: a code that is none is refused in another way than an app
    that is none. Raises AuthFailed, Transient, Permanent."""
    try:
        await exchange(app, code="none", verifier="0" * 43, deadline=deadline)
    except GrantGone:
        return


@asynccontextmanager
async def _talking(app: OAuthApp, deadline: float) -> "AsyncIterator[_Client]":
    """A client for one request, its errors made ours."""
    client = _Client(
        client_id=app.client_id,
        client_secret=app.client_secret,
        token_endpoint_auth_method=app.service.auth_method,
        revocation_endpoint_auth_method=app.service.auth_method,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"},
        transport=Door(timeout=deadline, max_bytes=_MAX_BYTES),
        timeout=deadline,
        follow_redirects=False,
        trust_env=False,
    )
    client.json_body = app.service.json_body
    try:
        async with client:
            yield client
    except OAuthError as error:
        raise _refused(str(error.error or "")) from None
    except httpx2.HTTPStatusError as error:
        status = error.response.status_code
        if status >= 500 or status in (408, 429):
            raise Transient(http_status=status) from None
        raise Permanent("The service refused this.", http_status=status) from None
    except (httpx2.HTTPError, AddressRefused, RequestFailed) as error:
        raise Transient(detail=type(error).__name__) from None
    except (ValueError, KeyError, TypeError) as error:
        # No JSON, or not the object it should be.
        raise Permanent(
            "The service gave an answer that cannot be read.", detail=type(error).__name__
        ) from None


def _refused(word: str) -> AuthFailed | Permanent | Transient:
    code = word if _WORD.match(word) else ""
    if code in APP_REFUSED:
        return AuthFailed(
            "The service does not know this client ID and secret.", code=code, detail=code
        )
    if code in _GRANT_GONE:
        return GrantGone(detail=code)
    if code in ("temporarily_unavailable", "server_error", "ratelimited"):
        return Transient(code=code)
    return Permanent("The service refused this.", code=code or "refused", detail=code)


def _granted(app: OAuthApp, answer: Mapping[str, Any]) -> Granted:
    token = {name: str(answer[name]) for name in _KEPT if answer.get(name)}
    if not token.get("access_token"):
        raise Permanent("The service gave no token.")
    said = answer.get("scope")
    wanted = app.service.scopes(app.form)
    scopes = re.split(r"[ ,]+", said) if isinstance(said, str) and said else list(wanted)
    identity = app.service.identity(answer) if app.service.identity else ("", "")
    return Granted(
        token=token,
        lifetime=_lifetime(answer),
        scopes=scopes[:50],
        external_id=identity[0][:200],
        external_name=identity[1][:200],
    )


def _lifetime(answer: Mapping[str, Any]) -> int | None:
    """Seconds from now; at least one, a year at most."""
    try:
        if answer.get("expires_in") is not None:
            seconds = int(float(str(answer["expires_in"])))
        elif answer.get("expires_at") is not None:
            seconds = int(float(str(answer["expires_at"])) - time.time())
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return max(1, min(seconds, 366 * 86_400))
