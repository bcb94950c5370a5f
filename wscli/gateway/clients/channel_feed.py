"""The frames that a client of a channel gets: control frames first, then the messages of the history."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from wscli.clock import Clock
from wscli.daemon.fanout.sources import GATHER_BYTES, GATHER_PIECES, HistorySource
from wscli.history.encode import Form, gap_record, message_frame, text_frame
from wscli.history.records import GapRecord, ReadResult

__all__ = ["ChannelFeed", "ClientFeed", "json_frame"]


def json_frame(value: Any) -> bytes:
    """Make the text frame of a JSON value."""
    return text_frame(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace"))


class ClientFeed(ABC):
    """What a WebSocket client is sent: a pong and a ping first, the frames of its sources, and a close frame last.

    Of several pongs only the last is sent (RFC 6455, section 5.5.3).
    """

    def __init__(self, *sources: HistorySource) -> None:
        self.sources: Sequence[HistorySource] = sources
        self.ended = False
        """Whether the close frame was taken; nothing follows it."""
        self._pong: bytes | None = None
        self._ping: bytes | None = None
        self._close: bytes | None = None

    def pong(self, frame: bytes) -> None:
        """Answer a ping."""
        self._pong = frame

    def ping(self, frame: bytes) -> None:
        """Ping the client."""
        self._ping = frame

    def close(self, frame: bytes) -> None:
        """End with a close frame; later calls change nothing."""
        if self._close is None:
            self._close = frame

    def end(self, frame: bytes, *, at_once: bool) -> None:
        """End with a close frame, at once or after everything received by now; later calls change nothing."""
        if self._close is None:
            for source in self.sources:
                source.until = 0 if at_once else source.history.last
        self.close(frame)

    def take(self) -> list[bytes]:
        """Take the next frames."""
        if self.ended:
            return []
        pieces = [frame for frame in (self._pong, self._ping) if frame is not None]
        self._pong = self._ping = None
        size = 0
        while size < GATHER_BYTES and len(pieces) < GATHER_PIECES:
            frames = self._next()
            if frames is None:
                if self._close is not None and all(one.until is None or one.exhausted for one in self.sources):
                    self.ended = True
                    pieces.append(self._close)
                break
            pieces += frames
            size += sum(map(len, frames))
        return pieces

    @abstractmethod
    def _next(self) -> list[bytes] | None:
        """Take some frames; None while there are none."""


class ChannelFeed(ClientFeed):
    """The messages of one channel, as frames.

    Args:
        source: the channel's history, from where the client begins.
        clock: gives a reply its time.
        as_records: give records of ``tail --json``, gaps included, instead of bare messages.
        on_gap: called with each gap that bare messages cannot tell of.
    """

    def __init__(
        self, source: HistorySource, clock: Clock, *, as_records: bool, on_gap: Callable[[GapRecord], None]
    ) -> None:
        super().__init__(source)
        self._clock = clock
        self._source = source
        self._form = Form("json-frames" if as_records else "frames", source.name)
        self._as_records = as_records
        self._on_gap = on_gap
        self._replies: deque[tuple[int, bytes]] = deque()
        """Frames, each with the number of the message that it follows."""
        self.reply_bytes = 0
        """Of the replies that wait to be taken."""

    def reply(self, payload: bytes, *, binary: bool) -> None:
        """Send a reply to the client after the messages that its channel has received by now."""
        after = self._source.history.last
        frame = (
            self._record(payload, after, binary=binary) if self._as_records else message_frame(payload, binary=binary)
        )
        self._replies.append((after, frame))
        self.reply_bytes += len(frame)

    def _record(self, payload: bytes, after: int, *, binary: bool) -> bytes:
        cursor = {"channel": self._source.name, "epoch": self._source.history.epoch, "seq": after}
        told = {"encoding": "base64", "data": b64encode(payload).decode()} if binary else {"data": payload.decode()}
        when = round(self._clock.wall(), 6)
        return json_frame({**cursor, "ts": when, "type": "binary" if binary else "text", **told, "reply": True})

    def _next(self) -> list[bytes] | None:
        source = self._source
        after = None
        if self._replies and (source.until is None or self._replies[0][0] <= source.until):
            after, frame = self._replies[0]
            if source.cursor.seq >= after:
                self._replies.popleft()
                self.reply_bytes -= len(frame)
                return [frame]
        found = source.next()
        if found is None:
            return None
        if after is not None and not isinstance(found.item, GapRecord) and found.item.last > after:
            part = found.item.part(found.item.first, after)
            found = ReadResult(part, found.cursor._replace(seq=after))
        source.cursor = found.cursor
        if not isinstance(found.item, GapRecord):
            return [body for _, body in source.history.encoded.get(found.item, self._form).parts]
        source.gap = None
        if self._as_records:
            return [json_frame(gap_record(found.item, source.name))]
        self._on_gap(found.item)
        return []
