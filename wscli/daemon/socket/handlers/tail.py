"""``tail``: the messages of channels, as a stream of frames."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from contextlib import ExitStack

from wscli.control.frames import End
from wscli.control.protocol import manager_stopped, success
from wscli.control.requests import ConsumeRequest, TailRequest
from wscli.control.text import state_text
from wscli.core.moves import reason_code
from wscli.core.states import SETTLED, ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.fanout.readers import Reader, reading
from wscli.daemon.fanout.sources import HistorySource, Options
from wscli.daemon.registry.manager import Manager
from wscli.daemon.socket.peer import Peer
from wscli.daemon.socket.server import App
from wscli.errors import ExitCode, UsageError
from wscli.history.records import Position, Start

__all__ = ["handle_tail", "options_of", "position", "run_reader", "start_of"]

_DONE = End(ExitCode.OK, "", None)
SLOW_OPENING = 2.0
"""Seconds after which a reader is told that its channel is still being opened for the first time."""
SHORT_OUTAGE = 1.0
"""Seconds of an outage that a reader is not told of as it happens."""
_CURSOR = "a cursor is a record's epoch and seq, such as k3f9:17"


async def handle_tail(app: App, request: TailRequest, peer: Peer) -> None:
    """Answer with where each channel's stream begins, then send frames until the end.

    A reader that follows holds its channels in use; one that does not opens nothing. The stream ends as soon as one
    channel settles, or once all are done, after everything that has arrived by then.
    """
    channels = [app.manager.channel(name) for name in dict.fromkeys(request["channels"])]
    options = options_of(request, several=len(channels) > 1)
    starts = {channel.name: await start_of(channel, request, options) for channel in channels}
    with ExitStack() as held:
        for channel in channels:
            held.enter_context(reading(channel, follow=options.follow))
        begins = {name: {"epoch": start.cursor.epoch, "after": start.cursor.seq} for name, start in starts.items()}
        await peer.send_line(success({"channels": begins}))
        sources = [HistorySource(one.name, one.history, starts[one.name], one.backpressure) for one in channels]
        reader = Reader(peer.sock, sources, options, clock=app.manager.clock)
        await run_reader(reader, app.manager, channels, follow=options.follow)


async def run_reader(reader: Reader, manager: Manager, channels: list[Channel], *, follow: bool) -> None:
    """Run a reader; one that follows ends as soon as one channel settles, or once all are done."""
    if not follow:
        return await reader.run()
    crashed = End(ExitCode.ERROR, "the manager failed at this", "see `wscli logs`; this is a bug of wscli")
    watching = [_watch(manager, channels, reader), *(_tell_outages(manager, one, reader) for one in channels)]
    tasks = [
        manager.tasks.spawn(one, name="tail-watch", on_crash=lambda error: reader.finish(crashed)) for one in watching
    ]
    try:
        await reader.run()
    finally:
        for task in tasks:
            task.cancel()


async def _watch(manager: Manager, channels: list[Channel], reader: Reader) -> None:
    """Finish the reader when a channel ends with an error, or the last one without."""
    async with asyncio.TaskGroup() as group:
        for channel in channels:
            group.create_task(_watch_one(manager, channel, reader, alone=len(channels) == 1))
    reader.finish(_DONE)


async def _watch_one(manager: Manager, channel: Channel, reader: Reader, *, alone: bool) -> None:
    while True:
        state = await channel.wait_for(SETTLED)
        unavailable = None if channel.state is ChannelState.DONE else channel.unavailable()
        error = manager_stopped() if manager.stopping.is_set() else unavailable
        if error is not None:
            reader.finish(End(error.exit_code, error.message, error.hint))
            return
        if state is ChannelState.DONE:
            if not alone:
                _tell(manager, channel, reader)
            return


async def _tell_outages(manager: Manager, channel: Channel, reader: Reader) -> None:
    """Tell a reader that its channel is down, when that changes in kind, and when it is ready again."""
    told: str | None = None
    if not _is_news(channel, None) and not await _opens_soon(channel):
        _tell(manager, channel, reader)
        told = channel.snapshot.reason.code
    while True:
        if _is_news(channel, told):
            _tell(manager, channel, reader)
            told = _outage(channel, told)
        was_ready = channel.state is ChannelState.READY
        await channel.tracker.wait_until(functools.partial(_is_news, channel, told))
        if was_ready:  # the gap tells of a short one
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SHORT_OUTAGE):
                    await channel.wait_for({ChannelState.READY, *SETTLED})


async def _opens_soon(channel: Channel) -> bool:
    """Wait until a channel that is being opened is ready, or has failed; False: it takes long."""
    try:
        async with asyncio.timeout(SLOW_OPENING):
            await channel.tracker.wait_until(
                lambda: channel.state in (ChannelState.READY, *SETTLED) or _is_news(channel, None)
            )
    except TimeoutError:
        return False
    return True


def _is_news(channel: Channel, told: str | None) -> bool:
    return _outage(channel, told) != told


def _outage(channel: Channel, told: str | None) -> str | None:
    """Return the kind of a channel's outage; ``told`` while it is being opened, None where it has not failed."""
    snapshot = channel.snapshot
    match snapshot.state:
        case ChannelState.READY:
            return None
        case ChannelState.WAITING | ChannelState.OFFLINE:
            return snapshot.reason.code
        case ChannelState.CONNECTING | ChannelState.HANDSHAKING if told is None and snapshot.failure is not None:
            return reason_code(snapshot.failure)
    return told


def _tell(manager: Manager, channel: Channel, reader: Reader) -> None:
    status = channel.status()
    reader.tell({**status, "text": state_text(status, manager.clock.wall())})


def options_of(request: TailRequest | ConsumeRequest, *, several: bool = False) -> Options:
    """Return how a reader wants its messages, which come from one channel or from ``several``."""
    form, count = request.get("format", "plain"), request.get("count")
    return Options(form, several and form != "json", count, request.get("follow", False))


def position(cursor: str, hint: str = _CURSOR) -> Position:
    """Read a cursor; the hint says what to write instead.

    Raises:
        UsageError: it is invalid.
    """
    try:
        return Position.parse(cursor)
    except ValueError as error:
        raise UsageError(str(error), hint) from None


async def start_of(channel: Channel, request: TailRequest | ConsumeRequest, options: Options) -> Start:
    """Seek. Default: the next message when following, else the oldest kept.

    Raises:
        UsageError: the cursor is invalid.
    """
    history, after = channel.history, request.get("after") or {}
    await history.opened()
    if channel.name in after:
        return history.seek_after(position(after[channel.name]))
    if (since := request.get("since")) is not None:
        return await history.seek_since(since)
    if (last := request.get("last")) is not None:
        return history.seek_last(last)
    return history.seek_last(0) if options.follow else history.seek_start()
