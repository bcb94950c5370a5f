"""What a GET of a channel is answered: the records of its history as JSON lines or Server-Sent Events; without I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import h11

from wscli.control.frames import json_body
from wscli.daemon.fanout.sources import GATHER_BYTES, GATHER_PIECES, HistorySource
from wscli.gateway.clients.closing import CloseReason
from wscli.gateway.handshake import response
from wscli.history.encode import Form, gap_record
from wscli.history.records import Cursor, GapRecord, Position, ReadResult, Start

__all__ = ["CURSOR_HEADER", "ReadOptions", "RecordFeed"]

CURSOR_HEADER = "Wscli-Cursor"
"""Where the next request goes on, or where a stream begins."""
_CHUNKS = GATHER_PIECES // 4
"""Taken at once, each with its size and its end as pieces of their own."""
_TYPES = {"events": "text/event-stream", "json": "application/x-ndjson"}


class ReadOptions(NamedTuple):
    """What a client asked for in its request."""

    start: Start
    events: bool
    """Whether as Server-Sent Events."""
    follow: bool
    wait: float = 0.0
    """Seconds to wait for a message before the answer."""
    limit: int | None = None
    """Messages at most."""
    head_only: bool = False

    @property
    def open_ended(self) -> bool:
        """Whether the answer depends on what is to come."""
        return (self.follow or self.wait > 0) and not self.head_only


class RecordFeed:
    """The answer to one GET, with its head: what is there, or with ``follow`` whatever is to come too.

    Args:
        http: the exchange, whose request was read.
        source: the channel's history, from where the client begins.
        options: what the client asked for.
        headers: those of the answer besides its own.
    """

    def __init__(
        self, http: h11.Connection, source: HistorySource, options: ReadOptions, headers: Mapping[str, str]
    ) -> None:
        self.sources: Sequence[HistorySource] = (source,)
        self.ended = False
        """Whether the end of the answer was taken."""
        self._http = http
        self._source = source
        self._options = options
        self._headers = headers
        self._form = Form("events" if options.events else "json", source.name)
        self._waits = options.open_ended and not options.follow
        self._begun = False
        self._words: list[bytes] = []
        self._end: list[bytes] = []

    def stop_waiting(self) -> None:
        """Answer with what there is."""
        self._waits = False

    def tick(self) -> None:
        """Keep a quiet stream alive: with a comment, or with an empty line, which readers of JSON lines skip."""
        if self._begun:
            self._words.append(b":\n" if self._options.events else b"\n")

    def finish(self, reason: CloseReason) -> None:
        """End after everything that was received by now, and tell a stream why."""
        self._waits = False
        if self._options.follow:
            last = self._source.history.last
            self._source.until = last if self._source.until is None else min(self._source.until, last)
            self._end = [self._ending(reason)]

    def last_words(self, reason: CloseReason) -> list[bytes]:
        """End a stream at once; other answers stay incomplete, and say so by their missing end."""
        if self.ended or not (self._begun and self._options.follow):
            return []
        self.ended = True
        return [*self._chunks([self._ending(reason)]), *self._last_chunk()]

    def take(self) -> list[bytes]:
        """Take the next pieces: the head first, then records, then the end."""
        if self.ended or (self._waits and self._source.history.last <= self._source.cursor.seq):
            return []
        head = [] if self._begun else [self._begin()]
        if self._options.head_only:
            self.ended = True
            return [*head, *self._last_chunk()]
        body, self._words = self._words, []
        size = 0
        while size < GATHER_BYTES and len(body) < _CHUNKS:
            found = self._source.next()
            if found is None:
                if not self._source.exhausted:
                    break
                self.ended = True
                return [*head, *self._chunks(body + self._end), *self._last_chunk()]
            some = self._records(found)
            body += some
            size += sum(map(len, some))
        return [*head, *self._chunks(body)]

    def _begin(self) -> bytes:
        self._begun, source, options = True, self._source, self._options
        until = None if options.follow else source.history.last
        if options.limit is not None:
            most = source.cursor.seq + options.limit
            until = most if until is None else min(until, most)
        source.until = until if source.until is None else source.until
        cursor = source.cursor if options.follow or until is None else source.cursor._replace(seq=until)
        if options.follow and options.events and source.gap is None:  # a gap's event has an id
            record = {"channel": source.name, "type": "cursor", "epoch": cursor.epoch, "seq": cursor.seq}
            self._words.append(_event("cursor", record, cursor))
        answer = response(200, b"", _TYPES[self._form.format], {CURSOR_HEADER: _shown(cursor), **self._headers})
        del answer.headers["Content-Length"]
        return (
            self._http.send(h11.Response(status_code=200, reason=b"OK", headers=list(answer.headers.raw_items())))
            or b""
        )

    def _records(self, found: ReadResult) -> list[bytes]:
        source, item = self._source, found.item
        source.cursor = found.cursor
        if isinstance(item, GapRecord):
            source.gap = None
            record = gap_record(item, source.name)
            return [_event("gap", record, found.cursor) if self._options.events else _line(record)]
        if source.until is not None and item.last > source.until:
            item = item.part(item.first, source.until)
            source.cursor = found.cursor._replace(seq=source.until)
        return [body for _, body in source.history.encoded.get(item, self._form).parts]

    def _ending(self, reason: CloseReason) -> bytes:
        record = {"channel": self._source.name, "type": "end", "code": reason.code, "reason": reason.text}
        return _event("end", record) if self._options.events else _line(record)

    def _chunks(self, body: list[bytes]) -> list[bytes]:
        """Frame a body for the version of HTTP that the client speaks, without copying it."""
        framed: list[bytes] = []
        for piece in body:
            framed += self._http.send_with_data_passthrough(h11.Data(data=piece)) or ()
        return framed

    def _last_chunk(self) -> list[bytes]:
        return [one for one in [self._http.send(h11.EndOfMessage())] if one]


def _line(record: dict[str, Any]) -> bytes:
    return json_body(record) + b"\n"


def _event(name: str, record: dict[str, Any], cursor: Cursor | None = None) -> bytes:
    """Make an event (HTML, section 9.2): its type, its cursor and its record."""
    at = "" if cursor is None else f"id: {_shown(cursor)}\n"
    return f"event: {name}\n{at}data: ".encode() + json_body(record) + b"\n\n"


def _shown(cursor: Cursor) -> str:
    return str(Position(cursor.epoch, cursor.seq))
