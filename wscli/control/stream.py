"""The client's side of a stream: frames from the manager's socket, bytes to wherever they are wanted; and the
acknowledgements of a consumer, with the confirmation of the last one.

It blocks, and imports next to nothing: ``tail`` starts at once and copies what the manager has encoded.
"""

import contextlib
import math
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from wscli.control.frames import (
    ACK,
    CHANNEL,
    CONFIRMED,
    DATA,
    END,
    EPOCH,
    GAP,
    NOTICE,
    STATE,
    End,
    Frame,
    FrameReader,
    read_end,
    read_json,
)
from wscli.control.output import Output, OutputClosed
from wscli.errors import ExitCode, NoInstance, OutcomeUnknown, TimedOut, WscliError, error_for

__all__ = ["CONFIRMATION_DEADLINE", "Confirmation", "FrameSocket", "StreamSink", "Stream"]

CONFIRMATION_DEADLINE = 5.0
"""Seconds for the manager to confirm the last position."""

_OK = End(ExitCode.OK, "", None)
_LONGEST_POLL = (1 << 31) - 1  # milliseconds, in an int of C's


class Confirmation:
    """Looks for the manager's confirmation of a position in the rest of a stream, and drops the rest."""

    def __init__(self, frames: FrameReader) -> None:
        self._frames = frames
        self._end: End | None = None

    def received(self) -> bool:
        """Whether the confirmation has been received."""
        while (frame := self._frames.next_frame()) is not None:
            if frame.kind == CONFIRMED:
                return True
            if frame.kind == END:
                self._end = read_end(frame.body)
        return False

    def missing(self) -> WscliError:
        """Return the error for a stream that ended without it: the manager's own, if it sent one."""
        if self._end is not None and self._end.exit_code:
            return error_for(*self._end)
        return OutcomeUnknown(
            "the position of the consumer was not confirmed",
            "its last messages may be delivered again; see `wscli consumer ls`",
        )


class FrameSocket(FrameReader):
    """The frames of a stream from a blocking socket, and the acknowledgements of a consumer to it."""

    def __init__(self, sock: socket.socket, rest: bytes = b"") -> None:
        super().__init__(rest)
        self.sock = sock

    def receive(self) -> None:
        """Receive more, within the timeout that the socket has.

        Raises:
            TimeoutError: nothing came in time.
            NoInstance: the manager hung up.
        """
        try:
            count = self.sock.recv_into(self.space())
        except ConnectionResetError:
            count = 0
        self.received(count)

    def acknowledge(self, seq: int, gaps: int) -> None:
        """Acknowledge everything up to a number, and so many gaps of this stream.

        If the manager is gone, the next reader's claim tells it.
        """
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(ACK.pack(seq, gaps))

    def confirm(self, within: float = CONFIRMATION_DEADLINE) -> None:
        """Close the sending side, and wait until the position is kept, for so many seconds at most.

        Raises:
            OutcomeUnknown: the manager ended before it confirmed.
            WscliError: the position cannot be kept.
        """
        confirmation = Confirmation(self)
        try:
            deadline = time.monotonic() + within
            self.sock.shutdown(socket.SHUT_WR)
            while not confirmation.received():
                self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
                self.receive()
        except (OSError, NoInstance):
            raise confirmation.missing() from None


class StreamSink:
    """The receiver of a stream; this one ignores everything. ``data`` and ``gap`` return true to end the stream."""

    stopped_at: int | None = None
    """The number of the last message it took, if it ended the stream within one call of ``data``."""
    acknowledges = False
    """Whether it sends acknowledgements itself, once it has processed the messages."""
    failure: WscliError | None = None
    """The error for which it ended the stream, if any."""
    stop_fd: int | None = None
    """Becomes readable when it ends the stream by itself."""

    def start(self, frames: FrameSocket | None) -> None:
        """Start a stream; acknowledgements go to ``frames``, None: nowhere."""

    def settle(self, *, at_once: bool = False) -> None:
        """End the stream: finish all messages that were taken, or with ``at_once`` only those already started."""

    def stop(self) -> None:
        """End what is under way, since a signal ends the process."""

    def data(self, channel: str, body: memoryview) -> bool:
        """Take encoded messages; the view is valid during this call only."""
        return False

    def gap(self, record: dict[str, Any]) -> bool:
        """Take a gap's record."""
        return False

    def state(self, record: dict[str, Any]) -> None:
        """Take the new state of a channel."""

    def notice(self, record: dict[str, Any]) -> None:
        """Take a notice of messages that the format leaves out."""


class Stream:
    """One stream of one or several channels.

    Args:
        sock: the socket, blocking, after the manager's answer.
        sink: takes what comes.
        rest: what was received together with the answer.
        channel: the stream's channel, where it has only one.
        output: a pipe to notice the end of; None where nothing is written to one.
        idle_timeout: seconds without a message after which it ends.
        clock: seconds that never step back.
        consumes: acknowledge what was taken.
        wake: becomes readable when a signal came.
        cursors: the number before the first message, by channel.
        heard_at: when a message came last, in an earlier stream; None: now, by the clock.

    ``cursors`` holds the number of the last message of each channel that the sink has taken, ``epochs`` its epoch where
    that changed within the stream, ``shown`` how many messages the sink was given, and ``heard_at`` when that was.
    """

    def __init__(
        self,
        sock: socket.socket,
        sink: StreamSink,
        *,
        rest: bytes = b"",
        channel: str = "",
        output: Output | None = None,
        idle_timeout: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        consumes: bool = False,
        wake: int | None = None,
        cursors: dict[str, int] | None = None,
        heard_at: float | None = None,
    ) -> None:
        self.cursors: dict[str, int] = dict(cursors or {})
        self.epochs: dict[str, str] = {}
        self.shown = 0
        self.frames = FrameSocket(sock, rest)
        self._sink = sink
        self._channel = channel
        self._idle_timeout = idle_timeout
        self._clock = clock
        self.heard_at = clock() if heard_at is None else heard_at
        self._consumes = consumes
        self._gaps = 0
        self._stops = [fd for fd in (sink.stop_fd, wake) if fd is not None]
        self._poll = select.poll()
        for fd in (sock.fileno(), *self._stops):
            self._poll.register(fd, select.POLLIN)
        if output is not None and (watched := output.watch(self._poll)) is not None:
            self._stops.append(watched)

    def run(self) -> End:
        """Take frames until the end, and say what it was; a sink that has had enough, or lost its reader, ends well.

        Raises:
            TimedOut: no message came for ``idle_timeout``.
            NoInstance: the manager hung up.
            FrameError: the stream is invalid.
        """
        try:
            while True:
                frame = self.frames.next_frame()
                if frame is None:
                    self._wait()
                    self.frames.receive()
                elif frame.kind == END:
                    return read_end(frame.body)
                elif self._handle(frame):
                    return _OK
        except OutputClosed:
            return _OK

    def finish(self, within: float = CONFIRMATION_DEADLINE) -> None:
        """Have the position of a consumer confirmed, within so many seconds, and leave.

        Raises:
            WscliError: it is not confirmed.
        """
        if self._consumes:
            self.frames.confirm(within)

    def _handle(self, frame: Frame) -> bool:
        kind, seq, body = frame
        enough = False
        if kind == DATA:
            enough = self._sink.data(self._channel, body)
            self.heard_at = self._clock()
            if enough and self._sink.stopped_at is not None:
                seq = self._sink.stopped_at
            self.shown += seq - self.cursors.get(self._channel, 0)
        elif kind == CHANNEL:
            self._channel = str(body, "utf-8", "surrogateescape")
        elif kind == EPOCH:
            self.epochs[self._channel] = str(body, "ascii")
        elif kind == GAP:
            enough = self._sink.gap(read_json(body))
            self._gaps += 1
        elif kind == STATE:
            self._sink.state(read_json(body))
        elif kind == NOTICE:
            record = read_json(body)
            self.shown -= int(record.get("binary", 0))
            self._sink.notice(record)
        if seq:
            self.cursors[self._channel] = seq
        if self._consumes and not self._sink.acknowledges and kind in (DATA, GAP, NOTICE):
            self.frames.acknowledge(self.cursors.get(self._channel, 0), self._gaps)
        return enough

    def _wait(self) -> None:
        ready: list[tuple[int, int]] = []
        while not ready:
            milliseconds = None
            if self._idle_timeout is not None:
                left = self.heard_at + self._idle_timeout - self._clock()
                if left <= 0:
                    raise TimedOut(f"no message came for {self._idle_timeout:g} s", "--idle-timeout waits longer")
                milliseconds = min(math.ceil(left * 1000), _LONGEST_POLL)
            ready = self._poll.poll(milliseconds)
        if any(fd in self._stops for fd, _ in ready):
            raise OutputClosed
