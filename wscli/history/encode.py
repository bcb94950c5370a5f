"""Encodes batches for readers: once per batch and format, however many read it.

Formats: ``plain`` (a newline after each message; binary ones are left out), ``nul`` (a NUL after each), ``json`` (one
record of ``tail --json`` a line). Labelled, plain and nul begin each message with ``CHANNEL<TAB>``. A message that
contains the separator is not escaped; only json is never ambiguous.

``frames`` and ``json-frames`` are for WebSocket clients: each message, or its record, as one unmasked frame (RFC 6455,
section 5.2), shared by all clients since frames of a server are not masked. ``events`` is the records as Server-Sent
Events, each with its cursor as its ``id``.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Sequence
from itertools import compress, count
from struct import pack
from typing import Any, Literal, NamedTuple

from wscli.history.records import BINARY, TEXT, Batch, GapRecord

__all__ = [
    "PART_BYTES",
    "Encoded",
    "EncodedCache",
    "Form",
    "cut",
    "encode_batch",
    "gap_record",
    "message_frame",
    "text_frame",
]

PART_BYTES = 256 << 10
"""Bytes of one part at most, but for a single larger message."""
CACHE_BYTES = 4 << 20

_quoted = json.JSONEncoder(ensure_ascii=False).encode


class Form(NamedTuple):
    """Everything but the batch that its encoding depends on."""

    format: Literal["plain", "nul", "json", "frames", "json-frames", "events"]
    channel: str
    labelled: bool = False

    def prints(self, batch: Batch) -> int:
        """Return the number of messages of a batch that it shows."""
        if self.format == "plain" and batch.kinds is not None:
            return batch.kinds.count(TEXT)
        return len(batch)


class Encoded(NamedTuple):
    """An encoded batch: ``parts`` of whole messages, each with the number of its last one."""

    parts: tuple[tuple[int, bytes], ...]
    skipped: int = 0
    """Number of binary messages left out."""
    skipped_bytes: int = 0

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return len(self.parts[0][1]) if len(self.parts) == 1 else sum(len(body) for _, body in self.parts)


def encode_batch(batch: Batch, form: Form) -> Encoded:
    """Encode a batch."""
    numbers: Sequence[int] = range(batch.first, batch.last + 1)
    if form.format == "frames":
        return Encoded(_parts(batch, numbers, _frames(batch)))
    if form.format == "json-frames":
        return Encoded(_parts(batch, numbers, [text_frame(record[:-1]) for record in _records(batch, form)]))
    if form.format == "json":
        return Encoded(_parts(batch, numbers, _records(batch, form)))
    if form.format == "events":
        head = b"id: %b:%%d\ndata: %%b\n" % batch.epoch.encode()
        events = [head % numbered for numbered in zip(numbers, _records(batch, form), strict=True)]
        return Encoded(_parts(batch, numbers, events))
    payloads, skipped = batch.payloads, []
    if batch.kinds is not None and form.format == "plain":
        is_text = [kind == TEXT for kind in batch.kinds]
        numbers, payloads = list(compress(numbers, is_text)), list(compress(payloads, is_text))
        skipped = [payload for payload, kind in zip(batch.payloads, batch.kinds, strict=True) if kind == BINARY]
    end = b"\0" if form.format == "nul" else b"\n"
    label = form.channel.encode("utf-8", "surrogateescape") + b"\t" if form.labelled else b""
    return Encoded(_lines(batch, numbers, payloads, label, end), len(skipped), sum(map(len, skipped)))


def cut(batch: Batch, form: Form, most: int) -> Batch:
    """Return the beginning of a batch that shows ``most`` messages, or all of it if it shows fewer."""
    if form.prints(batch) <= most:
        return batch
    length = most
    if form.format == "plain" and batch.kinds is not None:
        shown = [index for index, kind in enumerate(batch.kinds) if kind == TEXT]
        length = shown[most - 1] + 1
    return batch.part(batch.first, batch.first + length - 1)


def gap_record(gap: GapRecord, channel: str) -> dict[str, Any]:
    """Return the record of a gap in ``tail --json``."""
    record = {
        "channel": channel,
        "type": "gap",
        "after": gap.after,
        "reason": gap.reason,
        "start": None if gap.start is None else round(gap.start, 6),
        "end": None if gap.end is None else round(gap.end, 6),
        "missed": gap.missed,
    }
    return record if gap.backfilled is None else {**record, "backfilled": gap.backfilled}


def text_frame(payload: bytes) -> bytes:
    """Make one unmasked text frame (RFC 6455, section 5.2)."""
    return _frame(_TEXT_FRAME, payload)


def message_frame(payload: bytes, *, binary: bool) -> bytes:
    """Make one unmasked frame of a message."""
    return _frame(_BINARY_FRAME if binary else _TEXT_FRAME, payload)


class EncodedCache:
    """The last encoded batches, shared by readers that are near each other."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self.size = 0
        self._limit = limit
        self._kept: OrderedDict[tuple[str, int, int, Form], Encoded] = OrderedDict()

    def get(self, batch: Batch, form: Form) -> Encoded:
        """Return the encoding of a batch, made now or before."""
        key = (batch.epoch, batch.first, batch.last, form)
        encoded = self._kept.get(key)
        if encoded is not None:
            self._kept.move_to_end(key)
            return encoded
        encoded = self._kept[key] = encode_batch(batch, form)
        self.size += encoded.size
        while self.size > self._limit:
            self.size -= self._kept.popitem(last=False)[1].size
        return encoded

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self.size = 0


_TEXT_FRAME, _BINARY_FRAME = 0x81, 0x82
"""FIN and the opcode."""


def _frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 1 << 16:
        return pack("!BBH", first, 126, length) + payload
    return pack("!BBQ", first, 127, length) + payload


def _frames(batch: Batch) -> list[bytes]:
    if batch.kinds is None:
        return [_frame(_TEXT_FRAME, payload) for payload in batch.payloads]
    return [
        _frame(_TEXT_FRAME if kind == TEXT else _BINARY_FRAME, payload)
        for payload, kind in zip(batch.payloads, batch.kinds, strict=True)
    ]


def _lines(
    batch: Batch, numbers: Sequence[int], payloads: list[bytes], label: bytes, end: bytes
) -> tuple[tuple[int, bytes], ...]:
    if not payloads:
        return ()
    if batch.size + len(payloads) * (len(label) + 1) <= PART_BYTES:
        items = payloads.copy()  # so that one join copies the bytes once
        items[0] = label + items[0]
        items[-1] += end
        return ((batch.last, (end + label).join(items)),)
    return _parts(batch, numbers, [b"".join((label, payload, end)) for payload in payloads])


def _records(batch: Batch, form: Form) -> list[bytes]:
    head = f'{{"channel":{_quoted(form.channel)},"epoch":{_quoted(batch.epoch)},"seq":'
    ts = f',"ts":{round(batch.ts, 6)!r}' + (',"backfill":true' if batch.backfill else "")
    text, binary = f'{ts},"type":"text","data":', f'{ts},"type":"binary","encoding":"base64","data":"'
    if batch.kinds is None:
        return [
            f"{head}{seq}{text}{_quoted(payload.decode())}}}\n".encode()
            for seq, payload in enumerate(batch.payloads, batch.first)
        ]
    return [
        f"{head}{seq}{text}{_quoted(payload.decode())}}}\n".encode()
        if kind == TEXT
        else f'{head}{seq}{binary}{b64encode(payload).decode()}"}}\n'.encode()
        for seq, payload, kind in zip(count(batch.first), batch.payloads, batch.kinds, strict=False)
    ]


def _parts(batch: Batch, numbers: Sequence[int], records: list[bytes]) -> tuple[tuple[int, bytes], ...]:
    """Join records into parts; the last part has the number of the batch's last message, shown or not."""
    if len(records) == 1:
        return ((batch.last, records[0]),)
    if sum(map(len, records)) <= PART_BYTES:
        return ((batch.last, b"".join(records)),)
    parts, start, size = [], 0, 0
    for index, record in enumerate(records):
        if index > start and size + len(record) > PART_BYTES:
            parts.append((numbers[index - 1], b"".join(records[start:index])))
            start, size = index, 0
        size += len(record)
    return (*parts, (batch.last, b"".join(records[start:])))
