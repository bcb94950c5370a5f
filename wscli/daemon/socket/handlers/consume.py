"""``tail --consumer``: one channel, from where a named consumer stopped; its position moves as it says."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from wscli.control.frames import END, end_body, header
from wscli.control.protocol import success
from wscli.daemon.fanout.consumer_reader import ConsumerReader, ConsumerSource
from wscli.daemon.socket.handlers.args import optional_count, text
from wscli.daemon.socket.handlers.tail import begin, options_of, position, reading, watched
from wscli.errors import UsageError, WscliError

if TYPE_CHECKING:
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer


async def handle(app: App, args: dict[str, Any], peer: Peer) -> None:
    """Answer with where the stream begins, then send frames and take acknowledgements until the client leaves."""
    args = {**args, "channels": [text(args, "channel")]}
    options = options_of(args)
    channel = app.manager.channel(text(args, "channel"))
    consumers = channel.history.consumers
    if consumers is None:
        raise UsageError(
            f"channel {channel.name!r} keeps its history in memory, where a consumer has nothing to come back to",
            "declare history: {store: disk} for it",
        )
    await channel.history.opened()
    asked = any(args.get(key) is not None for key in ("last", "since", "after"))
    start = await begin(channel, args, options) if asked else None
    claim = None if args.get("claim") is None else position(text(args, "claim"))
    lease = consumers.take(text(args, "consumer"), optional_count(args, "pid") or 0, start, claim=claim)
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


async def _confirm(reader: ConsumerReader, peer: Peer) -> None:
    """Tell the client whether its position is kept; one that is gone is told nothing."""
    with contextlib.suppress(OSError):
        try:
            await reader.confirm()
        except WscliError as error:
            body = end_body(error.exit_code, error.message, error.hint)
            peer.sock.sendmsg([header(END, 0, len(body)), body])
