"""The socket of flows and lessons."""

from django.urls import URLPattern, path

from flows_app.consumers import FlowsConsumer

websocket_urlpatterns: list[URLPattern] = [
    path("ws/flows/", FlowsConsumer.as_asgi(), name="ws-flows"),
]
