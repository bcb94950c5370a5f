"""``tail``: the messages of channels, as a stream of frames."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from wscli.control.frames import End
from wscli.control.protocol import ProtocolError, success
from wscli.daemon.handlers.args import flag, names, optional_count
from wscli.daemon.readers import Reader
from wscli.daemon.sources import Options, Source
from wscli.errors import ExitCode, NoInstance, UnknownChannel, UsageError, WscliError
from wscli.history.records import Position, Start
from wscli.states import SETTLED, ChannelState

if TYPE_CHECKING:
    from wscli.daemon.channel import Channel
    from wscli.daemon.manager import Manager
    from wscli.daemon.peer import Peer

__all__ = ["handle"]

_DONE = End(ExitCode.OK, "", None)


async def handle(manager: Manager, args: dict[str, Any], peer: Peer) -> None:
    """Answer with where each channel's stream begins, then send frames until the end.

    A reader that follows holds its channels in use; one that does not opens nothing. The stream ends as soon as one
    channel settles, or once all are done, after everything that has arrived by then.
    """
    options = _options(args)
    channels = [manager.channel(name) for name in dict.fromkeys(names(args, required=True))]
    starts = {channel.name: _start(channel, args, options) for channel in channels}
    with ExitStack() as held:
        for channel in channels:
            held.enter_context(_reading(channel, follow=options.follow))
        await peer.send_line(success({"channels": {name: _begins(manager, name, starts[name]) for name in starts}}))
        sources = [Source(one.name, one.history, starts[one.name], one.pacer) for one in channels]
        reader = Reader(peer.sock, sources, options, clock=manager.clock)
        if not options.follow:
            await reader.run()
            return
        watching = asyncio.create_task(_watch(manager, channels, reader), name="tail-watch")
        try:
            await reader.run()
        finally:
            watching.cancel()
            await asyncio.wait([watching])


@contextmanager
def _reading(channel: Channel, *, follow: bool) -> Iterator[None]:
    with ExitStack() as held:
        if follow:
            held.enter_context(channel.use())
        channel.readers += 1
        try:
            yield
        finally:
            channel.readers -= 1
