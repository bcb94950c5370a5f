"""``attach``: the connection continues as a WebSocket that shares a channel, for the drop-in ``connect()``."""

from __future__ import annotations

from wscli.control.protocol import ProtocolError, success
from wscli.control.requests import AttachRequest
from wscli.daemon.registry.lookup import channel_for
from wscli.daemon.registry.manager import Manager
from wscli.daemon.socket.peer import Peer
from wscli.daemon.socket.server import App
from wscli.errors import UnknownChannel

__all__ = ["handle_attach"]


async def handle_attach(app: App, request: AttachRequest, peer: Peer) -> None:
    """Answer with the channel's name, then serve the WebSocket client that starts its upgrade on this socket.

    The channel is given by its name or by the URL that it dials; a URL is never quoted, since it may hold a token.
    """
    channel = app.manager.channel(_name(app.manager, request))
    await peer.send_line(success({"channel": channel.name}))
    await app.gateway.attach(peer.sock, channel)


def _name(manager: Manager, request: AttachRequest) -> str:
    if len(request) != 1:
        raise ProtocolError("'attach' takes a channel or a URL", "give one of 'channel' and 'url'")
    if "channel" in request:
        return request["channel"]
    name = channel_for(manager.plan, request["url"])
    if name is None:
        raise UnknownChannel(
            f"no channel of instance {manager.plan.name!r} has this URL", "`wscli config show` lists what they dial"
        )
    return name
