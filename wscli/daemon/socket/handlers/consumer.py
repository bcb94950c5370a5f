"""``consumer``: the named consumers of channels that keep their history on disk."""

from __future__ import annotations

from wscli.control.messages import ConsumersAnswer
from wscli.control.requests import ConsumerChange, ConsumerList, ConsumerReset
from wscli.daemon.channel.channel import Channel
from wscli.daemon.socket.app import App
from wscli.daemon.socket.handlers.consume import consumers_of
from wscli.daemon.socket.handlers.tail import position
from wscli.daemon.socket.peer import Peer
from wscli.errors import UsageError
from wscli.history.records import Start


async def handle(app: App, request: ConsumerList | ConsumerReset | ConsumerChange, peer: Peer) -> ConsumersAnswer:
    """List, reset or remove consumers."""
    if request["action"] == "ls":
        return _list(app.manager.select(request.get("channels", [])))
    channel = app.manager.channel(request["channel"])
    consumers = consumers_of(channel)
    await channel.history.opened()
    if request["action"] == "reset":
        await consumers.reset(request["name"], _start(channel, request["to"]))
    else:
        await consumers.remove(request["name"])
    return _list([channel])


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


def _list(channels: list[Channel]) -> ConsumersAnswer:
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
