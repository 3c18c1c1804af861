"""ASGI entry: HTTP to Django, but MCP clients to their server; WebSockets to the consumers behind
an Origin check."""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "one_project.settings.development")

django_application = get_asgi_application()

# The app registry must be ready before anything that imports models.

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from agents_app.views.mcp import PATH, mcp_endpoint  # noqa: E402
from chat_app.routing import websocket_urlpatterns as chat_sockets  # noqa: E402
from flows_app.routing import websocket_urlpatterns as flow_sockets  # noqa: E402
from one_project.accounts.socket_session import SocketSession  # noqa: E402
from one_project.common.origin import OriginRequired  # noqa: E402


async def http_application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Requests at ``/mcp/`` come with a key and without a session: past all of Django's."""
    if scope["path"].rstrip("/") == PATH:
        await mcp_endpoint(scope, receive, send)
    else:
        await django_application(scope, receive, send)


application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": OriginRequired(SocketSession(URLRouter([*chat_sockets, *flow_sockets]))),
    }
)

from one_project.common.process import settle  # noqa: E402

settle()
