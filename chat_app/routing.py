"""The sockets: one thread, or only the person's list of threads."""

from django.urls import URLPattern, path

from chat_app.consumers import InboxConsumer, ThreadConsumer

websocket_urlpatterns: list[URLPattern] = [
    path("ws/threads/<uuid:thread_id>/", ThreadConsumer.as_asgi(), name="ws-thread"),
    path("ws/inbox/", InboxConsumer.as_asgi(), name="ws-inbox"),
]
