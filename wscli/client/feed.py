"""The stream of a tail without I/O: bytes in, messages and gaps out."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from wscli.client.messages import Gap, Message, parse_gap, parse_message
from wscli.control.frames import DATA, END, GAP, FrameError, FrameReader, read_end, read_json
from wscli.errors import error_for

__all__ = ["MessageFeed", "AckPosition"]


class AckPosition(NamedTuple):
    """How far the messages of a stream of one channel are done."""

    seq: int
    """The number of the last message."""
    gaps: int
    """How many gaps came up to there."""


class MessageFeed:
    """Usage: receive into ``space()``, tell ``received(n)``, then take until there is nothing.

    Args:
        rest: what was received together with the manager's answer.
        gaps: give gaps as well.
        after: the number before the first message.

    ``ended`` is true once the manager has ended the stream without an error. ``frames`` are what it comes in.
    """

    def __init__(self, rest: bytes = b"", *, gaps: bool = True, after: int = 0) -> None:
        self.ended = False
        self.frames = FrameReader(rest)
        self._gaps = gaps
        self._taken = self._said = AckPosition(after, 0)
        self._lines: deque[str] = deque()

    def space(self) -> memoryview:
        """Give room to receive into."""
        return self.frames.space()

    def received(self, count: int) -> None:
        """Say how many bytes were put into the space; none means that the manager hung up.

        Raises:
            NoInstance: it hung up.
        """
        self.frames.received(count)

    def due(self) -> AckPosition | None:
        """Give how far what was taken goes, where that has not been `said` yet."""
        return None if self._taken == self._said else self._taken

    def said(self, position: AckPosition) -> None:
        """The manager has been told that everything is done so far."""
        self._said = position

    def next_item(self) -> Message | Gap | None:
        """Give what comes next; None until more has been received, and for ever once ``ended``.

        Raises:
            WscliError: the stream ended so; the class is that of the exit code that ``wscli tail`` would have.
            FrameError: the stream is invalid.
        """
        while not self._lines:
            frame = None if self.ended else self.frames.next_frame()
            if frame is None:
                return None
            if frame.kind == DATA:
                self._lines.extend(_lines(frame.body))
            elif frame.kind == GAP:
                self._taken = self._taken._replace(gaps=self._taken.gaps + 1)
                if self._gaps:
                    return parse_gap(read_json(frame.body))
            elif frame.kind == END:
                self._finish(frame.body)
        message = parse_message(self._lines.popleft())
        self._taken = self._taken._replace(seq=message.seq)
        return message

    def _finish(self, body: memoryview) -> None:
        end = read_end(body)
        if end.exit_code:
            raise error_for(end.exit_code, end.message, end.hint)
        self.ended = True


def _lines(body: memoryview) -> list[str]:
    try:
        return str(body, "utf-8").split("\n")[:-1]
    except UnicodeDecodeError:
        raise FrameError("the manager sent an invalid record", "see `wscli ls` for its version") from None
