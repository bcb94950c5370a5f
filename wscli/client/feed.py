"""The stream of a tail without I/O: bytes in, messages and gaps out."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from wscli.client.messages import Gap, Message, parse_gap, parse_message
from wscli.control.frames import DATA, END, GAP, FrameError, FrameReader, read_end, read_json
from wscli.errors import error_for

__all__ = ["MessageFeed", "AckPosition"]


class AckPosition(NamedTuple):
    """A position in a stream of one channel: everything up to it is acknowledged."""

    seq: int
    """The number of the last message."""
    gaps: int
    """The number of gaps up to it."""


class MessageFeed:
    """The messages and gaps in the frames of a tail.

    Args:
        frames: receive more into them once there is nothing to take.
        gaps: return gaps as well.
        after: the number before the first message of a consumer; None: no consumer reads.

    ``ended`` is true once the manager has ended the stream without an error. ``acknowledged`` is the last position that
    was sent to the manager.
    """

    def __init__(self, frames: FrameReader, *, gaps: bool = True, after: int | None = None) -> None:
        self.frames = frames
        self.ended = False
        self.consumes = after is not None
        self.acknowledged = self._taken = AckPosition(after or 0, 0)
        self._gaps = gaps
        self._lines: deque[str] = deque()

    def due(self) -> AckPosition | None:
        """Return the position that a consumer has reached, or None if it was acknowledged already."""
        return self._taken if self.consumes and self._taken != self.acknowledged else None

    def next_item(self) -> Message | Gap | None:
        """Return the next item; None until more has been received, and always once ``ended``.

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
                end = read_end(frame.body)
                if end.exit_code:
                    raise error_for(*end)
                self.ended = True
        message = parse_message(self._lines.popleft())
        self._taken = self._taken._replace(seq=message.seq)
        return message


def _lines(body: memoryview) -> list[str]:
    try:
        return str(body, "utf-8").split("\n")[:-1]
    except UnicodeDecodeError:
        raise FrameError("the manager sent an invalid record", "`wscli ls --json` shows its version") from None
