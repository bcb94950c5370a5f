"""A client of the control socket that goes on as a WebSocket: what the Python drop-in speaks."""

from __future__ import annotations

import contextlib
import socket

from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager
from wscli.gateway.channels import open_session
from wscli.gateway.handshake import ClientGone, Handshake
from wscli.gateway.requests import subprotocols

__all__ = ["serve_attached"]

_MAX_HEADER = 64 << 10
_MAX_MESSAGE = 16 << 20


async def serve_attached(manager: Manager, sock: socket.socket, channel: Channel) -> None:
    """Read the upgrade request, answer it and serve the client until it is gone; its user was checked."""
    handshake = Handshake(sock, max_header=_MAX_HEADER, max_message=_MAX_MESSAGE)
    with contextlib.suppress(ClientGone):
        request = await handshake.request()
        session = await open_session(
            manager,
            handshake,
            request,
            sock,
            lambda: channel,
            query={},
            offered=subprotocols(request.headers),
            spare=None,
            max_message=_MAX_MESSAGE,
        )
        if session is not None:
            await session.run()
