"""``tail``: the messages of channels, as a stream of frames."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from wscli.control.frames import End
from wscli.control.protocol import ProtocolError, success
from wscli.core.states import SETTLED, ChannelState
from wscli.daemon.fanout.readers import Reader
from wscli.daemon.fanout.sources import Options, Source
from wscli.daemon.socket.handlers.args import flag, names, optional_count
from wscli.errors import ExitCode, NoInstance, UnknownChannel, UsageError, WscliError
from wscli.history.records import Position, Start

if TYPE_CHECKING:
    from wscli.daemon.channel.channel import Channel
    from wscli.daemon.registry.manager import Manager
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer

__all__ = ["begin", "handle", "options_of", "position", "reading", "watched"]

_DONE = End(ExitCode.OK, "", None)
_CURSOR = "it is a record's epoch and seq, such as k3f9:17"


async def handle(app: App, args: dict[str, Any], peer: Peer) -> None:
    """Answer with where each channel's stream begins, then send frames until the end.

    A reader that follows holds its channels in use; one that does not opens nothing. The stream ends as soon as one
    channel settles, or once all are done, after everything that has arrived by then.
    """
    options = options_of(args)
    channels = [app.manager.channel(name) for name in dict.fromkeys(names(args, required=True))]
    starts = {channel.name: await begin(channel, args, options) for channel in channels}
    with ExitStack() as held:
        for channel in channels:
            held.enter_context(reading(channel, follow=options.follow))
        begins = {name: {"epoch": start.cursor.epoch, "after": start.cursor.seq} for name, start in starts.items()}
        await peer.send_line(success({"channels": begins}))
        sources = [Source(one.name, one.history, starts[one.name], one.backpressure) for one in channels]
        reader = Reader(peer.sock, sources, options, clock=app.manager.clock)
        with ExitStack() as watching:
            if options.follow:
                watching.enter_context(watched(app.manager, channels, reader))
            await reader.run()


@contextmanager
def reading(channel: Channel, *, follow: bool) -> Iterator[None]:
    """Count as a reader; one that follows holds the channel in use."""
    with ExitStack() as held:
        if follow:
            held.enter_context(channel.use())
        channel.readers += 1
        try:
            yield
        finally:
            channel.readers -= 1


@contextmanager
def watched(manager: Manager, channels: list[Channel], reader: Reader) -> Iterator[None]:
    """Finish a reader as soon as one channel settles, or once all are done."""
    crashed = End(ExitCode.ERROR, "the manager failed at this", "see `wscli logs`; this is a bug of wscli")
    task = manager.tasks.spawn(
        _watch(manager, channels, reader), name="tail-watch", on_crash=lambda error: reader.finish(crashed)
    )
    try:
        yield
    finally:
        task.cancel()


async def _watch(manager: Manager, channels: list[Channel], reader: Reader) -> None:
    """Finish the reader when a channel ends with an error, or the last one without."""
    watching = [_watch_one(manager, channel, reader, alone=len(channels) == 1) for channel in channels]
    async with asyncio.TaskGroup() as group:
        for one in watching:
            group.create_task(one)
    reader.finish(_DONE)


async def _watch_one(manager: Manager, channel: Channel, reader: Reader, *, alone: bool) -> None:
    while True:
        state = await channel.wait_for(SETTLED)
        error = _error(manager, channel)
        if error is not None:
            reader.finish(End(error.exit_code, error.message, error.hint))
            return
        if state is ChannelState.DONE:
            if not alone:
                reader.tell({"channel": channel.name, "state": state, "text": channel.snapshot.reason.text})
            return


def _error(manager: Manager, channel: Channel) -> WscliError | None:
    """Give what ends a reader with an error: the channel is of no use any more, or gone, or all is."""
    if manager.stopping.is_set():
        return NoInstance("the manager was stopped", "`wscli up` starts it again")
    if channel.removed:
        return UnknownChannel(
            f"channel {channel.name!r} was removed from the configuration", "`wscli status` lists the channels"
        )
    return None if channel.state is ChannelState.DONE else channel.unavailable()


def options_of(args: dict[str, Any]) -> Options:
    """Read how a reader wants it."""
    format_ = args.get("format", "plain")
    if format_ not in ("plain", "nul", "json"):
        raise ProtocolError(f"{str(format_)[:40]!r} is no format", "a format is plain, nul or json")
    several = len(set(names(args, required=True))) > 1
    return Options(format_, several and format_ != "json", optional_count(args, "count"), flag(args, "follow"))


def position(cursor: str, hint: str = _CURSOR) -> Position:
    """Read a cursor; the hint is what to write instead.

    Raises:
        UsageError: it is none.

    """
    try:
        return Position.parse(cursor)
    except ValueError as error:
        raise UsageError(str(error), hint) from None


async def begin(channel: Channel, args: dict[str, Any], options: Options) -> Start:
    """Seek; without a word, a reader that follows begins with what is to come, another with what there is.

    Raises:
        UsageError: the cursor is none.

    """
    history = channel.history
    await history.opened()
    after, since, last = args.get("after"), args.get("since"), optional_count(args, "last")
    if after is not None:
        if not isinstance(after, dict) or not isinstance(after.get(channel.name, ""), str):
            raise ProtocolError("argument 'after' is no object of cursors", "it holds a cursor for each channel")
        if channel.name in after:
            return history.seek_after(position(after[channel.name]))
    if since is not None:
        if isinstance(since, bool) or not isinstance(since, (int, float)) or not math.isfinite(since):
            raise ProtocolError("argument 'since' is no time", "it is in seconds since the epoch")
        return await history.seek_since(since)
    if last is not None:
        return history.seek_last(last)
    return history.seek_last(0) if options.follow else history.seek_start()
