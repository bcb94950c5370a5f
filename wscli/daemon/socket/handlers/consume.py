"""``tail --consumer``: one channel, from where a named consumer stopped; its position moves as it says."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack

from wscli.control.frames import END, end_body, header
from wscli.control.protocol import success
from wscli.control.requests import ConsumeRequest
from wscli.daemon.channel.channel import Channel
from wscli.daemon.fanout.consumer_reader import ConsumerReader, ConsumerSource
from wscli.daemon.socket.app import App
from wscli.daemon.socket.handlers.tail import options_of, position, reading, start_of, watched
from wscli.daemon.socket.peer import Peer
from wscli.errors import UsageError, WscliError
from wscli.history.consumers import NamedConsumers

__all__ = ["consumers_of", "handle"]


async def handle(app: App, request: ConsumeRequest, peer: Peer) -> None:
    """Answer with where the stream begins, then send frames and read acknowledgements until the client leaves."""
    options = options_of(request)
    channel = app.manager.channel(request["channel"])
    consumers = consumers_of(channel)
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
        with ExitStack() as watching:
            if options.follow:
                watching.enter_context(watched(app.manager, [channel], reader))
            await reader.run()
        await _confirm(reader, peer)


def consumers_of(channel: Channel) -> NamedConsumers:
    """Return the consumers of a channel.

    Raises:
        UsageError: the channel keeps its history in memory, which has none.

    """
    if channel.history.consumers is None:
        raise UsageError(
            f"channel {channel.name!r} keeps its history in memory, and has no consumers",
            "declare history: {store: disk} for it",
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
