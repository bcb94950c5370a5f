"""``attach``: the connection goes on as a WebSocket that shares a channel; for programs whose library was replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.control.protocol import ProtocolError, success
from wscli.daemon.registry.lookup import channel_for
from wscli.daemon.socket.handlers.args import text
from wscli.errors import UnknownChannel

if TYPE_CHECKING:
    from wscli.daemon.registry.manager import Manager
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer

__all__ = ["handle"]


async def handle(app: App, args: dict[str, Any], peer: Peer) -> None:
    """Answer with the channel's name, then serve whatever WebSocket client begins its upgrade on this socket.

    The channel is given by its name, or by the URL that it dials; a URL is never quoted, since it may hold a token.
    """
    channel = app.manager.channel(_name(app.manager, args))
    await peer.send_line(success({"channel": channel.name}))
    await app.gateway.attach(peer.sock, channel)


def _name(manager: Manager, args: dict[str, Any]) -> str:
    if args.keys() != {"url"} and args.keys() != {"channel"}:
        raise ProtocolError("'attach' takes a channel or a URL", "one of 'channel' and 'url' is given")
    if "channel" in args:
        return text(args, "channel")
    name = channel_for(manager.plan, text(args, "url"))
    if name is None:
        raise UnknownChannel(
            f"no channel of instance {manager.plan.name!r} has this URL", "`wscli config show` lists what they dial"
        )
    return name
