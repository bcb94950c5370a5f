"""A manager on real sockets in the test's own loop, made from YAML as a user writes it."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.backend.server import Backend
from wscli.clock import SystemClock
from wscli.config.loading import load
from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager
from wscli.daemon.upstream.dial.dialer import OpenConnection
from wscli.history.records import GapRecord
from wscli.network import reachable
from wscli.process.run import make_manager
from wscli.transport.connection import Connection, ConnectionListener, DialTarget, DialTimeline
from wscli.transport.open import open_connection


class Dials:
    """The transport, and when it was called: a server under load sees dials in heaps that were made one by one."""

    def __init__(self) -> None:
        self.times: list[float] = []

    async def __call__(self, target: DialTarget, listener: ConnectionListener, timeline: DialTimeline) -> Connection:
        """Open a link."""
        self.times.append(SystemClock().monotonic())
        return await open_connection(target, listener, timeline)

    def most_within(self, seconds: float) -> int:
        """Count the most dials in any window of so many seconds."""
        return max(bisect_right(self.times, at + seconds) - first for first, at in enumerate(self.times))


def config(backend: Backend, channels: Iterable[str], *, endpoint: str, backoff: str) -> str:
    """A file of channels on a back end, whose endpoint ``api`` has these keys beside its URL and its token."""
    lines = "\n".join(f"  {one}" for one in channels)
    return f"""
version: 1
endpoints:
  api: {{url: "{backend.ws_url}", query: {{token: "{{token.session}}"}}, {endpoint}}}
tokens:
  session: {{http: {{post: {backend.url}/ws-token}}, read: {{token: .token, expires_in: .expires_in}}}}
backoff:
  default: {{{backoff}}}
channels:
{lines}
"""


@asynccontextmanager
async def live(directory: Path, text: str, open_connection: OpenConnection = open_connection) -> AsyncIterator[Manager]:
    """Run a manager on a file of this text."""
    file = directory / "app.yaml"
    file.write_text(text)
    manager = make_manager(
        load(file, {}),
        clock=SystemClock(),
        chance=random.Random(7),
        open_connection=open_connection,
        reachable=reachable,
        environ={"XDG_STATE_HOME": str(directory)},
    )
    manager.open()
    try:
        yield manager
    finally:
        await manager.close()


async def all_in(manager: Manager, state: ChannelState, timeout: float = 60.0) -> None:
    """Wait until every channel is in a state."""
    async with asyncio.timeout(timeout):
        await asyncio.gather(*(channel.wait_for({state}) for channel in manager.channels()))


async def until(manager: Manager, predicate: Callable[[], bool], timeout: float = 60.0) -> None:
    """Wait until something holds, looking at each change of any channel's state."""
    changed = asyncio.Event()
    unsubscribe = manager.changes.subscribe(changed.set)
    try:
        async with asyncio.timeout(timeout):
            while not predicate():
                changed.clear()
                await changed.wait()
    finally:
        unsubscribe()


def gaps(channel: Channel) -> list[str]:
    """The reasons of a channel's gaps, in order."""
    cursor, found = channel.history.seek_start().cursor, []
    while (item := channel.history.read(cursor)) is not None:
        cursor = item.cursor
        if isinstance(item.item, GapRecord):
            found.append(item.item.reason)
    return found
