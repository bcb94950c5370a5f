"""What a reader is sent next: several histories merged into one sequence of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from wscli.control.frames import CHANNEL, DATA, END, EPOCH, GAP, NOTICE, STATE, End, end_body, header, json_body
from wscli.daemon.channel.backpressure import Backpressure
from wscli.history.encode import Form, cut, gap_record
from wscli.history.memory import History
from wscli.history.records import GapRecord, ReadResult, Start

__all__ = ["GATHER_BYTES", "GATHER_PIECES", "Merger", "Options", "HistorySource"]

GATHER_BYTES = 128 << 10
"""Small batches go out together, until there are so many bytes."""
GATHER_PIECES = 512
"""Of them at once: the kernel takes 1,024 (IOV_MAX)."""

_OK = End(0, "", None)


@dataclass(frozen=True, slots=True)
class Options:
    """How a reader wants its messages."""

    format: Literal["plain", "nul", "json"] = "plain"
    labelled: bool = False
    """Whether each message begins with its channel's name, in the formats plain and nul."""
    count: int | None = None
    """Ends after so many messages, over all sources."""
    follow: bool = True
    """Whether to wait for more than there is."""


class HistorySource:
    """A channel's history as one reader reads it from ``start``.

    ``backpressure`` is told of the reader's lag; None where nothing can be held back.
    """

    __slots__ = ("backpressure", "cursor", "gap", "history", "name", "until")

    def __init__(self, name: str, history: History, start: Start, backpressure: Backpressure | None = None) -> None:
        self.name = name
        self.history = history
        self.cursor, self.gap = start
        self.backpressure = backpressure
        self.until: int | None = None
        """The number of the last message to read, once the end is certain."""

    def next(self) -> ReadResult | None:
        """Give what comes next, or None while there is nothing."""
        if self.gap is not None:
            return ReadResult(self.gap, self.cursor)
        found = self.history.read(self.cursor)
        if found is None or self.until is None or isinstance(found.item, GapRecord):
            return found
        return found if found.item.first <= self.until else None

    def end_here(self) -> None:
        """End with the last message that has arrived so far."""
        self.until = self.history.last

    @property
    def exhausted(self) -> bool:
        """Whether its end is certain and was read; messages that a history still fetches are not read yet."""
        return self.until is not None and self.cursor.seq >= self.until


class Merger:
    """Takes from the sources in turn, and makes frames.

    The number of messages is counted here, over all sources, and the last batch is cut at a message.
    """

    def __init__(self, sources: Sequence[HistorySource], options: Options) -> None:
        self.sources: Sequence[HistorySource] = sources
        self.ended = False
        """Whether the end frame was taken."""
        self._forms = [Form(options.format, source.name, options.labelled) for source in sources]
        self._left = options.count
        self._turn = 0
        self._spoke_of: HistorySource | None = sources[0] if len(sources) == 1 else None
        self._end: End | None = None
        self._words: list[bytes] = []
        if not options.follow:
            self.finish(_OK)

    def finish(self, end: End) -> None:
        """End once everything that has arrived so far is read; only the first call has an effect."""
        if self._end is None:
            self._end = end
            for source in self.sources:
                source.end_here()

    def tell(self, state: dict[str, Any]) -> None:
        """Send the frame of a state."""
        body = json_body(state)
        self._words += (header(STATE, 0, len(body)), body)

    def take(self) -> list[bytes]:
        """Give the next frames, as pieces to be sent one after the other; none while there is nothing to send."""
        pieces, self._words = self._words, []
        size = 0
        while not self.ended and size < GATHER_BYTES and len(pieces) < GATHER_PIECES:
            before = len(pieces)
            if self._left == 0:
                self._put_end(pieces, _OK)
            elif not self._put_next(pieces):
                if self._end is None or not all(source.exhausted for source in self.sources):
                    break
                self._put_end(pieces, self._end)
            size += sum(map(len, pieces[before:]))
        return pieces

    def _put_next(self, pieces: list[bytes]) -> bool:
        for _ in self.sources:
            index = self._turn
            self._turn = (index + 1) % len(self.sources)
            found = self.sources[index].next()
            if found is not None:
                self._put(pieces, self.sources[index], self._forms[index], found)
                return True
        return False

    def _put(self, pieces: list[bytes], source: HistorySource, form: Form, found: ReadResult) -> None:
        if source is not self._spoke_of:
            self._spoke_of = source
            _frame(pieces, CHANNEL, 0, source.name.encode("utf-8", "surrogateescape"))
        item = found.item
        if found.cursor.epoch != source.cursor.epoch:
            _frame(pieces, EPOCH, 0, found.cursor.epoch.encode())
        if isinstance(item, GapRecord):
            source.gap, source.cursor = None, found.cursor
            _frame(pieces, GAP, found.cursor.seq, json_body(gap_record(item, source.name)))
            return
        if self._left is not None:
            item = cut(item, form, self._left)
            self._left -= form.prints(item)
        source.cursor = found.cursor
        encoded = source.history.encoded.get(item, form)
        for seq, body in encoded.parts:
            _frame(pieces, DATA, seq, body)
        if encoded.skipped:
            notice = {"channel": source.name, "binary": encoded.skipped, "bytes": encoded.skipped_bytes}
            _frame(pieces, NOTICE, item.last, json_body(notice))

    def _put_end(self, pieces: list[bytes], end: End) -> None:
        self.ended = True
        _frame(pieces, END, 0, end_body(*end))


def _frame(pieces: list[bytes], kind: int, seq: int, body: bytes) -> None:
    pieces += (header(kind, seq, len(body)), body)
