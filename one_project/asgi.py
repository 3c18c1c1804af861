"""ASGI entry: HTTP to Django, WebSockets to the consumers behind an Origin check."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "one_project.settings.development")

django_application = get_asgi_application()

# The app registry must be ready before anything that imports models.

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from chat_app.routing import websocket_urlpatterns as chat_sockets  # noqa: E402
from flows_app.routing import websocket_urlpatterns as flow_sockets  # noqa: E402
from one_project.accounts.socket_session import SocketSession  # noqa: E402
from one_project.common.origin import OriginRequired  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": OriginRequired(SocketSession(URLRouter([*chat_sockets, *flow_sockets]))),
    }
)

from one_project.common.process import settle  # noqa: E402

settle()
