"""The socket's Origin check: only pages this site served may open a socket (ASVS 4.4.2).

Channels' own ``AllowedHostsOriginValidator`` compares with ALLOWED_HOSTS and refuses silently
(django/channels#2062). This one asks for the very host the request was sent to, or one listed in
CSRF_TRUSTED_ORIGINS, and logs what it refuses.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import validate_host

logger = logging.getLogger(__name__)

Application = Callable[[dict[str, Any], Any, Any], Awaitable[Any]]


class OriginRequired:
    """ASGI middleware that denies a WebSocket whose Origin is not this site's."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        headers = dict(scope.get("headers", []))
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if same_site(origin, host):
            return await self.application(scope, receive, send)
        logger.warning("socket refused: Origin %r for host %r", origin[:200], host[:200])
        return await WebsocketDenier.as_asgi()(scope, receive, send)


def same_site(origin: str, host: str) -> bool:
    """Whether ``origin`` (scheme://host[:port]) names ``host`` or a trusted origin."""
    if not origin:
        return False
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        parts = urlsplit(origin)
        hostname = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or parts.netloc.lower() != host.lower():
        return False
    # ALLOWED_HOSTS guards against a forged Host header (DNS rebinding); Django's HTTP side does
    # the same, with these names allowed in development.
    allowed = settings.ALLOWED_HOSTS
    if settings.DEBUG and not allowed:
        allowed = [".localhost", "127.0.0.1", "::1"]
    return validate_host(hostname, allowed)
