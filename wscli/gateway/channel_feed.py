"""The frames that a client of a channel gets: control frames first, then the messages of the history."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from wscli.daemon.fanout.sources import GATHER_BYTES, GATHER_PIECES, HistorySource
from wscli.history.encode import Form, gap_record, text_frame
from wscli.history.records import GapRecord

__all__ = ["ChannelFeed", "ControlFrames", "json_frame"]


def json_frame(value: Any) -> bytes:
    """Make the text frame of a JSON value."""
    return text_frame(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace"))


class ControlFrames:
    """Control frames to send; of several pongs only the last (RFC 6455, section 5.5.3)."""

    def __init__(self) -> None:
        self._pong: bytes | None = None
        self._close: bytes | None = None
        self.closed = False
        """Whether the close frame was taken; nothing follows it."""

    @property
    def closing(self) -> bool:
        """Whether a close frame was given."""
        return self._close is not None

    def pong(self, frame: bytes) -> None:
        """Answer a ping."""
        self._pong = frame

    def close(self, frame: bytes) -> None:
        """End with a close frame; later calls change nothing."""
        if self._close is None:
            self._close = frame

    def take_pong(self) -> list[bytes]:
        """Take the pong."""
        pong, self._pong = self._pong, None
        return [] if pong is None else [pong]

    def take_close(self) -> list[bytes]:
        """Take the close frame; call it when nothing else is left to send."""
        if self._close is None or self.closed:
            return []
        self.closed = True
        return [self._close]


class ChannelFeed:
    """The messages of one channel, as frames.

    Args:
        source: the channel's history, from where the client begins.
        as_records: give records of ``tail --json``, gaps included, instead of bare messages.
        on_gap: called with each gap that bare messages cannot tell of.

    """

    def __init__(self, source: HistorySource, *, as_records: bool, on_gap: Callable[[GapRecord], None]) -> None:
        self.sources: Sequence[HistorySource] = (source,)
        self.control = ControlFrames()
        self._source = source
        self._form = Form("json-frames" if as_records else "frames", source.name)
        self._as_records = as_records
        self._on_gap = on_gap

    @property
    def ended(self) -> bool:
        """Whether the close frame was taken."""
        return self.control.closed

    def close(self, frame: bytes, *, at_once: bool) -> None:
        """End with a close frame, at once or after everything received by now."""
        if not self.control.closing:
            self._source.until = 0 if at_once else self._source.history.last
        self.control.close(frame)

    def take(self) -> list[bytes]:
        """Take the next frames."""
        if self.ended:
            return []
        pieces = self.control.take_pong()
        size = 0
        while size < GATHER_BYTES and len(pieces) < GATHER_PIECES:
            before = len(pieces)
            if not self._put_next(pieces):
                return [*pieces, *self.control.take_close()] if self._source.exhausted else pieces
            size += sum(map(len, pieces[before:]))
        return pieces

    def _put_next(self, pieces: list[bytes]) -> bool:
        source = self._source
        found = source.next()
        if found is None:
            return False
        source.cursor = found.cursor
        if isinstance(found.item, GapRecord):
            source.gap = None
            if self._as_records:
                pieces.append(json_frame(gap_record(found.item, source.name)))
            else:
                self._on_gap(found.item)
        else:
            pieces += [body for _, body in source.history.encoded.get(found.item, self._form).parts]
        return True
