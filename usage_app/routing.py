"""Websocket addresses of the window; the root wraps them with sessions."""

from django.urls import path

from usage_app.consumers import CountConsumer, LiveConsumer

websocket_urlpatterns = [
    path("ui/ws/live/", LiveConsumer.as_asgi(), name="live"),
    path("ui/ws/count/", CountConsumer.as_asgi(), name="count"),
]
