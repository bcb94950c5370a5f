"""Named consumers of channels that keep their history on disk: ``consume`` reads as one, ``consumer`` manages them."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack

from wscli.control.frames import END, end_body, header
from wscli.control.messages import ConsumersAnswer
from wscli.control.protocol import manager_stopped, success
from wscli.control.requests import ConsumerChange, ConsumeRequest, ConsumerList, ConsumerReset
from wscli.daemon.channel.channel import Channel
from wscli.daemon.fanout.consumer_reader import ConsumerReader, ConsumerSource
from wscli.daemon.fanout.readers import reading
from wscli.daemon.socket.handlers.tail import options_of, position, run_reader, start_of
from wscli.daemon.socket.peer import Peer
from wscli.daemon.socket.server import App
from wscli.errors import UsageError, WscliError
from wscli.history.consumers import NamedConsumers
from wscli.history.records import Start

__all__ = ["consume", "consumer"]


async def consume(app: App, request: ConsumeRequest, peer: Peer) -> None:
    """Answer with where the stream begins, then send frames and read acknowledgements until the client leaves."""
    if app.manager.stopping.is_set():  # it may come back already: its last stream is still being ended
        raise manager_stopped()
    options = options_of(request)
    channel = app.manager.channel(request["channel"])
    consumers = _consumers_of(channel)
    await channel.history.opened()
    placed = any(request.get(key) is not None for key in ("last", "since", "after"))
    start = await start_of(channel, request, options) if placed else None
    cursor = request.get("claim")
    claim = None if cursor is None else position(cursor)
    lease = consumers.take(request["consumer"], request.get("pid") or 0, start, claim=claim)
    with ExitStack() as held:
        held.callback(lease.release)
        held.enter_context(reading(channel, follow=options.follow))
        source = ConsumerSource(channel.name, channel.history, lease, channel.backpressure)
        begins = {"epoch": lease.start.cursor.epoch, "after": lease.start.cursor.seq}
        await peer.send_line(success({"channels": {channel.name: begins}}))
        reader = ConsumerReader(peer.sock, source, options, clock=app.manager.clock)
        await run_reader(reader, app.manager, [channel], follow=options.follow)
        await _confirm(reader, peer)


def _consumers_of(channel: Channel) -> NamedConsumers:
    """Return the consumers of a channel.

    Raises:
        UsageError: the channel keeps its history in memory, which has none.
    """
    if channel.history.consumers is None:
        raise UsageError(
            f"channel {channel.name!r} keeps its history in memory, and has no consumers",
            "declare `history: {store: disk}` for it, then `wscli reload`",
        )
    return channel.history.consumers


async def _confirm(reader: ConsumerReader, peer: Peer) -> None:
    """Tell the client whether its position is kept, unless it has hung up."""
    with contextlib.suppress(OSError):
        try:
            await reader.confirm()
        except WscliError as error:
            body = end_body(error.exit_code, error.message, error.hint)
            peer.sock.sendmsg([header(END, 0, len(body)), body])


async def consumer(app: App, request: ConsumerList | ConsumerReset | ConsumerChange, peer: Peer) -> ConsumersAnswer:
    """List, reset or remove consumers."""
    if request["action"] == "ls":
        return _list(app.manager.select(request.get("channels", [])))
    channel = app.manager.channel(request["channel"])
    consumers = _consumers_of(channel)
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
            for channel in channels
            if channel.history.consumers is not None
            for one in channel.history.consumers.list()
        ]
    }
