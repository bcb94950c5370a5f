"""The replay of a channel to one client: each message is sent when it is due and the client is ready for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from wscli.clock import Clock, SystemClock
from wscli.mock.recording import Gauge, Recording
from wscli.mock.records import RecordedMessage

__all__ = ["Pace", "Replay", "ReplayOptions", "Sleep"]

Sleep = Callable[[float], Awaitable[None]]
"""Waits for some seconds of ``Clock.monotonic``; 0 lets other tasks run."""

_TURN = 64 << 10
"""Bytes of the file after which other tasks run, even where no wait is due."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How a recording is replayed."""

    speed: float = 1.0
    """Seconds of the recording that pass in one second; infinity never waits."""
    loop: bool = False
    outages: bool = False
    """Whether an outage ends a replay, so that the next client continues after it."""


class Pace:
    """The waits of one replay, measured from its start: a delay by a slow client shortens the waits after it.

    Args:
        speed: seconds of the recording that pass in one second; infinity never waits.
        now: the start, in seconds of the clock of ``wait``.
    """

    def __init__(self, speed: float, now: float) -> None:
        self._speed = speed
        self._due = now
        self._gauge = Gauge()

    def wait(self, ts: float, now: float) -> float:
        """Give the seconds until a message with this time is due."""
        return self._until(self._gauge.passed(ts), now)

    def again(self, pause: float, now: float) -> float:
        """Start over after ``pause`` seconds of the recording; give the seconds until then."""
        self._gauge = Gauge()
        return self._until(pause, now)

    def _until(self, seconds: float, now: float) -> float:
        self._due += seconds / self._speed
        return max(0.0, self._due - now)


class Replay:
    """Replays a recording to clients.

    Args:
        recording: a checked one.
        options: how it is replayed.
        clock: decides when a message is due.
        sleep: waits until then.
    """

    def __init__(
        self, recording: Recording, options: ReplayOptions, *, clock: Clock | None = None, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._recording = recording
        self.options = options
        self._clock = clock or SystemClock()
        self._sleep = sleep

    async def run(self, channel: str, send: Callable[[RecordedMessage], Awaitable[None]], start: int = 0) -> int | None:
        """Send the messages of a channel; ``send`` returns once the client is ready for more.

        Args:
            channel: a channel of the recording.
            send: sends one message.
            start: the place in the file to start at.

        Returns:
            None once all messages are sent, or the place after the outage that ended the replay.

        Raises:
            WscliError: the file was changed.
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
        self, channel: str, send: Callable[[RecordedMessage], Awaitable[None]], start: int, pace: Pace
    ) -> int | None:
        turn = start
        for record, place in self._recording.records(start):
            if place - turn >= _TURN:
                turn = place
                await self._sleep(0)
            if record.channel != channel:
                continue
            if not isinstance(record, RecordedMessage):
                if self.options.outages and record.reason == "outage":
                    return place
                continue
            wait = pace.wait(record.ts, self._clock.monotonic())
            if wait > 0:
                await self._sleep(wait)
            await send(record)
        return None
