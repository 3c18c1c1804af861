"""Who opened a socket, from the session cookie: ``scope["user"]`` and ``scope["session"]``.

Channels' own stack also looks at the session again at every message that is sent, in case it has
to be saved; ours never change it, and a page is sent thousands.
"""

from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from types import SimpleNamespace
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore

from one_project.accounts.models import User
from one_project.common.database import in_thread

Application = Callable[[dict[str, Any], Any, Any], Awaitable[Any]]


class SocketSession:
    """ASGI middleware: one look at the database for each socket."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        session = SessionStore(_session_key(dict(scope.get("headers", []))))
        user = await in_thread(_signed_in, session)
        return await self.application({**scope, "session": session, "user": user}, receive, send)


def _session_key(headers: dict[bytes, bytes]) -> str | None:
    try:
        cookies = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return None
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else None


def _signed_in(session: SessionStore) -> User | AnonymousUser:
    return get_user(cast("Any", SimpleNamespace(session=session)))
