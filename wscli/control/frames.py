"""The frames of a stream: what the control socket carries once ``tail`` or another verb that follows took it over.

A frame is a header (u32 length of the body, u8 kind, u64 last sequence number, in network order) and a body:

=========  ====================================================================================
``data``   encoded messages, whole ones, to be copied as they are
``gap``    the JSON object of a gap
``state``  a JSON object: a channel came to a state that the reader is told of
``end``    u8 exit code, then a JSON object with ``message`` and ``hint``; nothing follows
``channel``  a channel's name: the frames that follow are of this channel; where a stream has several
``notice``  a JSON object: messages that the format leaves out
``epoch``  the epoch of the sequence numbers of the frames that follow; where it changes within a stream
``confirmed``  empty: the position of a consumer is kept; nothing follows
=========  ====================================================================================

A client that reads by the name of a consumer says how far it is done, by ``ACK``: the number of the last message, and
how many gaps of this stream. It shuts down its sending side after the last one, and waits for ``confirmed``.

The sequence number is that of the last message up to and including the frame; 0 where the kind has none.
"""

import json
from struct import Struct
from typing import Any, NamedTuple

from wscli.errors import NoInstance, WscliError

__all__ = [
    "ACK",
    "CHANNEL",
    "CONFIRMED",
    "DATA",
    "END",
    "EPOCH",
    "GAP",
    "HEADER",
    "NOTICE",
    "STATE",
    "End",
    "Frame",
    "FrameError",
    "FrameReader",
    "end_body",
    "header",
    "json_body",
    "read_end",
    "read_json",
]

DATA, GAP, STATE, END, CHANNEL, NOTICE, CONFIRMED, EPOCH = range(1, 9)

HEADER = Struct("!IBQ")
ACK = Struct("!QQ")
_SPACE = 1 << 20


class FrameError(WscliError):
    """The stream is not a sequence of valid frames."""


class Frame(NamedTuple):
    """One frame; ``body`` is good until the reader is asked for space again."""

    kind: int
    seq: int
    body: memoryview


class End(NamedTuple):
    """The content of an ``end`` frame."""

    exit_code: int
    message: str
    hint: str | None


def header(kind: int, seq: int, length: int) -> bytes:
    """Make the header of a body of so many bytes."""
    return HEADER.pack(length, kind, seq)


def json_body(value: dict[str, Any]) -> bytes:
    """Make the body of a frame that is a JSON object."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def read_json(body: memoryview) -> dict[str, Any]:
    """Read the body of a frame that is a JSON object.

    Raises:
        FrameError: it is invalid.
    """
    try:
        value = json.loads(bytes(body))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise FrameError("the manager sent an invalid frame", "`wscli ls --json` shows its version")
    return value


def end_body(exit_code: int, message: str = "", hint: str | None = None) -> bytes:
    """Make the body of an ``end`` frame."""
    return bytes([exit_code]) + json_body({"message": message, "hint": hint})


def read_end(body: memoryview) -> End:
    """Read the body of an ``end`` frame.

    Raises:
        FrameError: it is invalid.
    """
    if not body:
        raise FrameError("the manager sent an empty last frame", "`wscli ls --json` shows its version")
    said = read_json(body[1:])
    hint = said.get("hint")
    return End(body[0], str(said.get("message", "")), None if hint is None else str(hint))


class FrameReader:
    """Bytes in, frames out; the bytes are received into its own buffer, and a body is a view of it.

    Usage: receive into ``space()``, call ``received(n)``, then ``next_frame()`` until it gives None. ``rest`` was
    received together with the manager's answer.
    """

    def __init__(self, rest: bytes = b"") -> None:
        self._buffer = bytearray(max(_SPACE, len(rest) * 2))
        self._buffer[: len(rest)] = rest
        self._start = 0
        self._end = len(rest)

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not whole yet."""
        return self._end - self._start

    def space(self) -> memoryview:
        """Give room to receive into, at least as much as the frame under way still lacks, up to what has arrived.

        A body taken before is not good any more.
        """
        length, held = len(self._buffer), self._end - self._start
        if self._start == self._end:
            self._start = self._end = 0
        elif length - self._end < length // 4 or held > length // 2:
            room = bytearray(length * 2) if held > length // 2 else self._buffer
            room[:held] = self._buffer[self._start : self._end]
            self._buffer, self._start, self._end = room, 0, held
        return memoryview(self._buffer)[self._end :]

    def received(self, count: int) -> None:
        """Say how many bytes were put into the space.

        Raises:
            NoInstance: none, since the manager hung up.
        """
        if not count:
            raise NoInstance(
                "the manager ended unexpectedly", "`wscli ls` lists it if it runs; `wscli up` starts it again"
            )
        self._end += count

    def next_frame(self) -> Frame | None:
        """Give the next whole frame, or None until more has been received.

        Raises:
            FrameError: its kind is unknown.
        """
        held = self._end - self._start
        if held < HEADER.size:
            return None
        length, kind, seq = HEADER.unpack_from(self._buffer, self._start)
        if not DATA <= kind <= EPOCH:
            raise FrameError(f"the manager sent a frame of unknown kind {kind}", "`wscli ls --json` shows its version")
        if held < HEADER.size + length:
            return None
        start = self._start + HEADER.size
        self._start = start + length
        return Frame(kind, seq, memoryview(self._buffer)[start : self._start])
