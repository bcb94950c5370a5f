"""A Django project on Channels, in one file, run by ``daphne channels_app:application``.

It takes orders over HTTP: ``POST /order`` with ``{"publish": {"room", "text"}}``, ``{"tokens": [...]}``,
``{"hold": true}`` or ``{"release": true}``, which waits until an upgrade is held.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    SECRET_KEY="of tests",
)
django.setup()

from urllib.parse import parse_qs  # noqa: E402 - once Django is set up

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402

tokens: list[str] = []
gate, held = asyncio.Event(), asyncio.Event()
gate.set()


class Room(AsyncJsonWebsocketConsumer):
    """``/ws/ROOM/?token=TOKEN``: what is published there, and an answer to ``{"id", "echo"}``."""

    async def connect(self) -> None:
        if not gate.is_set():
            held.set()
            await gate.wait()
        [token] = parse_qs(self.scope["query_string"].decode()).get("token", [""])
        if tokens and token not in tokens:
            await self.close(4401)  # before it is accepted: HTTP 403
            return
        self.room = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "room"):
            await self.channel_layer.group_discard(self.room, self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        if "close" in content:
            await self.close(content["close"])
        else:
            await self.send_json({"id": content["id"], "echo": content["echo"]})

    async def published(self, event: dict[str, Any]) -> None:
        await self.send_json({"room": self.room, "text": event["text"]})


async def order(request: HttpRequest) -> JsonResponse:
    asked = json.loads(request.body)
    if "publish" in asked:
        one = asked["publish"]
        await get_channel_layer().group_send(one["room"], {"type": "published", "text": one["text"]})
    if "tokens" in asked:
        tokens[:] = asked["tokens"]
    if "hold" in asked:
        gate.clear()
        held.clear()
    if "release" in asked:
        await held.wait()
        gate.set()
    return JsonResponse({})


urlpatterns = [path("order", order)]
application = ProtocolTypeRouter({
    "http": get_asgi_application(),
    "websocket": AllowedHostsOriginValidator(URLRouter([path("ws/<room>/", Room.as_asgi())])),
})  # fmt: skip
