"""The streams of one ``tail``: with --retry it waits for the next manager and continues where the last one ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from wscli.cli.printing import note
from wscli.control.client import connect_to, not_ready
from wscli.control.frames import End
from wscli.control.output import Output
from wscli.control.protocol import COUNT_LIMIT
from wscli.control.selection import Selection
from wscli.control.stream import Stream, StreamSink
from wscli.errors import ExitCode, NoInstance, TimedOut, WscliError, error_for

if TYPE_CHECKING:
    from wscli.control.requests import ConsumeRequest, ReadingOptions, TailRequest

__all__ = ["TailSession", "TailCommandOptions"]

_ANSWER = 30.0  # seconds for the manager to answer
_PARTING = 1.0  # seconds for the position to be confirmed after a deadline or a signal
_SHORTEST, _LONGEST = 0.05, 1.0  # seconds between two looks for a manager that is away


class TailCommandOptions(NamedTuple):
    """The options of the command line; times are seconds, ``since`` is since the epoch."""

    channels: tuple[str, ...]
    as_json: bool = False
    last: int | None = None
    since: float | None = None
    after: str | None = None
    most: int | None = None
    timeout: float | None = None
    idle_timeout: float | None = None
    jq: str | None = None
    nul: bool = False
    follow: bool = True
    retry: bool = False
    consumer: str | None = None
    ack: str = "auto"
    exec: str | None = None
    parallel: int | None = None
    key: str | None = None
    exec_timeout: float | None = None


class TailSession:
    """One call of ``tail``.

    Args:
        selection: which manager.
        wanted: what of it.
        sink: takes the messages, with --exec and --jq as records. With --jq it counts what it printed.
        output: a pipe to notice the end of.
        wake: a descriptor that becomes readable when a signal came.
        clock, sleep: the time.
    """

    def __init__(
        self,
        selection: Selection,
        wanted: TailCommandOptions,
        sink: StreamSink,
        output: Output,
        *,
        wake: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._selection = selection
        self._wanted = wanted
        self._sink = sink
        self._output = output
        self._wake = wake
        self._clock = clock
        self._sleep = sleep
        self._cursors: dict[str, str] = {}
        """Where each channel goes on, once it has begun."""
        self._left = wanted.most
        self._heard_at = clock()
        self._away = 0.0
        """Seconds of the present pause between two looks; 0 while a manager is there."""

    def run(self) -> End:
        """Read until the end that was asked for.

        Raises:
            NoInstance: no manager runs, or it ended, and --retry was not given.
            WscliError: a deadline passed, or the manager refused.
        """
        while True:
            try:
                return self._read()
            except NoInstance as error:
                if not self._wanted.retry or self._sink.failure is not None:
                    raise
                away = error
            try:
                self._wait(away)
            except TimedOut as error:
                raise TimedOut(f"{error.message}; {away.message}", error.hint) from None

    def _read(self) -> End:
        if self._left == 0:
            return End(ExitCode.OK, "", None)
        wanted = self._wanted
        with connect_to(self._selection) as client:
            begins = client.request("tail" if wanted.consumer is None else "consume", self._request(), timeout=_ANSWER)
            begins = begins["channels"]
            if self._away:
                note("the manager is there")
                self._away = 0.0
            sock, rest = client.take_over()
            stream = Stream(
                sock,
                self._sink,
                rest=rest,
                channel=wanted.channels[0],
                output=self._output,
                idle_timeout=wanted.idle_timeout,
                cursors={channel: begin["after"] for channel, begin in begins.items()},
                heard_at=self._heard_at,
                clock=self._clock,
                consumes=wanted.consumer is not None,
                wake=self._wake,
            )
            self._sink.start(None if wanted.consumer is None else stream.frames)
            try:
                end = stream.run()
                self._sink.settle()
            except NoInstance:
                self._sink.settle()
                raise
            except BaseException as error:  # a deadline, a signal: what was taken is still to be confirmed
                if not isinstance(error, WscliError):
                    self._sink.stop()
                self._part(stream)
                if isinstance(error, TimedOut):
                    raise TimedOut(error.message + not_ready(self._selection, wanted.channels), error.hint) from None
                raise
            finally:
                self._remember(begins, stream)
            if end.exit_code == ExitCode.NO_INSTANCE:
                raise error_for(end.exit_code, end.message, end.hint)
            stream.finish()
        return end

    def _part(self, stream: Stream) -> None:
        self._sink.settle(at_once=True)
        try:
            stream.finish(_PARTING)
        except WscliError as error:
            note(f"warning: {error.message}")

    def _remember(self, begins: dict[str, Any], stream: Stream) -> None:
        self._cursors = {
            name: f"{stream.epochs.get(name, begin['epoch'])}:{stream.cursors[name]}" for name, begin in begins.items()
        }
        self._heard_at = stream.heard_at
        if self._left is not None and self._wanted.jq is None:
            self._left = max(0, self._left - stream.shown)

    def _wait(self, error: NoInstance) -> None:
        if not self._away:
            note(f"{error.message}; waits for a manager")
        self._away = min(max(self._away * 2, _SHORTEST), _LONGEST)
        limit = self._wanted.idle_timeout
        left = self._away if limit is None else self._heard_at + limit - self._clock()
        if left <= 0:
            raise TimedOut(f"no message came for {limit:g} s", "--idle-timeout waits longer")
        self._sleep(min(self._away, left))

    def _request(self) -> TailRequest | ConsumeRequest:
        """Build the request: the first one as the command line says, later ones from where the last stream ended."""
        wanted, begun, channel = self._wanted, bool(self._cursors), self._wanted.channels[0]
        records = wanted.as_json or wanted.jq is not None or wanted.exec is not None
        after = {channel: wanted.after} if wanted.after is not None and not begun else None
        common: ReadingOptions = {
            "format": "json" if records else "nul" if wanted.nul else "plain",
            "last": None if begun or wanted.last is None else min(wanted.last, COUNT_LIMIT),
            "since": None if begun else wanted.since,
            "count": None if self._left is None or wanted.jq is not None else min(self._left, COUNT_LIMIT),
            "follow": wanted.follow,
        }
        if wanted.consumer is None:
            return {**common, "channels": list(wanted.channels), "after": self._cursors if begun else after}
        claim, pid = self._cursors.get(channel), os.getpid()
        return {**common, "after": after, "channel": channel, "consumer": wanted.consumer, "pid": pid, "claim": claim}
