"""Readers under way on real sockets, and what they read."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

from tests.daemon.framed import FarEnd, socket_pair
from wscli.clock import SystemClock
from wscli.control.frames import End
from wscli.daemon.fanout.readers import Reader
from wscli.daemon.fanout.sources import HistorySource, Options
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History

__all__ = ["MESSAGE", "OK", "fill", "history_of", "live", "numbers", "reading"]

OK = End(0, "", None)
MESSAGE = 4000


def history_of(keep=100_000, max_size=256 << 20):
    return History(HistoryLimits(keep=keep, max_size=max_size), clock=SystemClock(), epoch="k3f9")


def fill(history, batches, *, messages=1, size=0):
    """Append batches of messages that begin with their own number."""
    for _ in range(batches):
        history.append([b"%d." % (history.last + 1 + index) + b"x" * size for index in range(messages)], None)


def numbers(data):
    return [int(line.split(b".")[0]) for line in data.splitlines()]


@asynccontextmanager
async def reading(sources, options=None, *, buffer=None, clock=None):
    """A reader under way, and its far end."""
    ours, theirs = socket_pair(buffer=buffer)
    reader = Reader(ours, sources, options or Options(), clock=clock)
    if buffer is not None:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    running = asyncio.create_task(reader.run())
    await asyncio.sleep(0)
    try:
        yield reader, FarEnd(theirs), running
    finally:
        running.cancel()
        await asyncio.wait([running])
        ours.close()
        theirs.close()


def live(history, name="n", backpressure=None):
    return HistorySource(name, history, history.seek_last(0), backpressure)
