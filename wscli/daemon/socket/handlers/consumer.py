"""``consumer``: the named consumers of channels that keep their history on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.control.protocol import ProtocolError
from wscli.daemon.socket.handlers.args import names, text
from wscli.daemon.socket.handlers.tail import position
from wscli.errors import UsageError

if TYPE_CHECKING:
    from wscli.control.messages import Consumers
    from wscli.daemon.channel.channel import Channel
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer
    from wscli.history.consumers import NamedConsumers
    from wscli.history.records import Start


async def handle(app: App, args: dict[str, Any], peer: Peer) -> Consumers:
    """List, reset or forget."""
    action = text(args, "action")
    if action == "ls":
        return _list(app.manager.select(names(args)))
    channel = app.manager.channel(text(args, "channel"))
    named, name = _named(channel), text(args, "name")
    await channel.history.opened()
    if action == "reset":
        await named.reset(name, _start(channel, text(args, "to")))
    elif action == "rm":
        await named.remove(name)
    else:
        raise ProtocolError(f"{action[:40]!r} is nothing to do with consumers", "it is one of ls, reset, rm")
    return _list([channel])


def _named(channel: Channel) -> NamedConsumers:
    if channel.history.consumers is None:
        raise UsageError(
            f"channel {channel.name!r} keeps its history in memory, and has no consumers",
            "declare history: {store: disk} for it",
        )
    return channel.history.consumers


def _start(channel: Channel, to: str) -> Start:
    if to == "start":
        return channel.history.seek_start()
    if to == "end":
        return channel.history.seek_last(0)
    history = channel.history
    start = history.seek_after(position(to, "give start, end, or a record's epoch:seq, such as k3f9:17"))
    if start.gap is not None and start.gap.reason == "reset":
        kept = f"kept are {history.epoch}:{history.first} to {history.epoch}:{history.last}"
        raise UsageError(
            f"channel {channel.name!r} knows no message {to}",
            f"{kept}; or give start or end" if history.first <= history.last else "nothing is kept: give start or end",
        )
    return start


def _list(channels: list[Channel]) -> Consumers:
    found = [(channel, channel.history.consumers) for channel in channels]
    return {
        "consumers": [
            {
                "channel": channel.name,
                "consumer": one.name,
                "cursor": str(one.position),
                "lag": one.lag,
                "held_by": one.held_by,
                "moved_at": one.moved_at,
            }
            for channel, named in found
            if named is not None
            for one in named.list()
        ]
    }
