"""``send --chunk`` and ``--rate``: stdin in chunks of one size, and messages no faster than a rate."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from wscli.cli.formatting import counted, duration, size
from wscli.cli.printing import note
from wscli.cli.send.sender import Sender, blocks_of
from wscli.control.protocol import split_block

if TYPE_CHECKING:
    from wscli.control.requests import Framing

__all__ = ["Pacing", "chunks_of", "send_stream"]

_REDRAW = 0.25
"""Seconds between two lines of progress."""


class Pacing:
    """Has ``wait`` called so that a message goes each ``interval`` seconds; what stdin delays is not caught up."""

    def __init__(
        self, interval: float | None, wait: Callable[[float], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = interval or 0.0
        self._wait = wait
        self._clock = clock
        self._due = float("-inf")

    def keep(self) -> None:
        """Wait until the next message may go."""
        now = self._clock()
        if self._due > now:
            self._wait(self._due - now)
        self._due = max(self._due, now) + self._interval


def chunks_of(stdin: Iterable[bytes], chunk: int) -> Iterator[bytes]:
    """Cut stdin into chunks of so many bytes; the last one has the rest."""
    pending = bytearray()
    for piece in stdin:
        pending += piece
        whole = len(pending) - len(pending) % chunk
        for at in range(0, whole, chunk):
            yield bytes(pending[at : at + chunk])
        del pending[:whole]
    if pending:
        yield bytes(pending)


def send_stream(sender: Sender, framing: Framing, *, chunk: int | None, interval: float | None, shows: bool) -> None:
    """Send stdin message by message.

    Args:
        sender: sends them.
        framing: how stdin is cut, unless into chunks.
        chunk: the bytes of each message.
        interval: seconds from one message to the next, at least.
        shows: whether progress is drawn where stderr is a terminal.

    Raises:
        WscliError: what ``Sender`` raises for the first message that failed.
    """
    sender.open()
    sender.sent_bytes = 0
    pace = Pacing(interval, sender.pause)
    messages = (
        (one for block in blocks_of(sender.stdin(), framing) for one in split_block(block, framing))
        if chunk is None
        else chunks_of(sender.stdin(), chunk)
    )
    with _Progress(sender, shows=shows) as progress:
        for message in messages:
            pace.keep()
            before = sender.connects, sender.sent, sender.sent_bytes
            sender.block(message, "whole")
            if before[0] not in (None, sender.connects):
                progress.say(f"connected anew after {counted(before[1], 'message')} ({before[2]} bytes)")
            progress.draw()


class _Progress:
    """One line on a terminal that is drawn over; an interruption is followed by what was sent until then."""

    def __init__(self, sender: Sender, *, shows: bool) -> None:
        self._sender = sender
        self._shows = shows and sys.stderr is not None and sys.stderr.isatty()
        self._began = self._drawn = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            self._put("\n")
        else:
            self._clear()
        if self._sender.sent and isinstance(error, (KeyboardInterrupt, SystemExit)):
            note(f"{counted(self._sender.sent, 'message')} ({self._sender.sent_bytes} bytes) sent")

    def say(self, text: str) -> None:
        """Say something in a line of its own."""
        self._clear()
        note(text)

    def _clear(self) -> None:
        if self._shows:
            sys.stderr.write("\r\x1b[K")

    def draw(self) -> None:
        """Draw, if it is time."""
        if time.monotonic() - self._drawn >= _REDRAW:
            self._drawn = time.monotonic()
            self._put("")

    def _put(self, end: str) -> None:
        if self._shows:
            took = duration(time.monotonic() - self._began)
            line = f"sent {counted(self._sender.sent, 'message')}, {size(self._sender.sent_bytes or 0)} in {took}"
            sys.stderr.write(f"\r{line[: os.get_terminal_size(sys.stderr.fileno()).columns - 1]}\x1b[K{end}")
            sys.stderr.flush()
