"""One client's replay of a channel: each message at its time, and no sooner than the client takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from wscli.clock import Clock, SystemClock
from wscli.mock.pace import Pace
from wscli.mock.recording import Recording
from wscli.mock.records import Message

__all__ = ["Replay", "ReplayOptions", "Sleep"]

Sleep = Callable[[float], Awaitable[None]]
"""Lets so many seconds of ``Clock.monotonic`` pass, and others have their turn."""

_TURN = 64 << 10
"""Bytes of the file after which others have their turn, though nothing is to be waited for."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How a recording is replayed."""

    speed: float = 1.0
    """How many of its seconds pass in one; infinity waits for nothing."""
    loop: bool = False
    outages: bool = False
    """Whether an outage ends a replay, for another client to go on behind it."""


class Replay:
    """A recording, on its way to clients.

    Args:
        recording: which was checked.
        options: how.
        clock: reckons when a message is due.
        sleep: waits for it.

    """

    def __init__(
        self,
        recording: Recording,
        options: ReplayOptions,
        *,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._recording = recording
        self.options = options
        self._clock = clock or SystemClock()
        self._sleep = sleep

    async def run(self, channel: str, send: Callable[[Message], Awaitable[None]], start: int = 0) -> int | None:
        """Send the messages of a channel; ``send`` returns once the client is ready for more.

        Args:
            channel: one that the recording has.
            send: sends one.
            start: the place in the file to begin at.

        Returns:
            None once all of them are sent; the place behind the outage that ended it.

        Raises:
            WscliError: the file is not what it was.

        """
        played = self._recording.channels[channel]
        if not played.messages:
            return None
        pace = Pace(self.options.speed, self._clock.monotonic())
        while True:
            place = await self._play(channel, send, start, pace)
            if place is not None or not self.options.loop:
                return place
            start = 0
            await self._sleep(pace.again(played.pause, self._clock.monotonic()))

    async def _play(
        self, channel: str, send: Callable[[Message], Awaitable[None]], start: int, pace: Pace
    ) -> int | None:
        turn = start
        for record, place in self._recording.records(start):
            if place - turn >= _TURN:
                turn = place
                await self._sleep(0)
            if record.channel != channel:
                continue
            if not isinstance(record, Message):
                if self.options.outages and record.reason == "outage":
                    return place
                continue
            wait = pace.wait(record.ts, self._clock.monotonic())
            if wait > 0:
                await self._sleep(wait)
            await send(record)
        return None
