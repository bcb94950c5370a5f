"""Assembles frames to messages, and the messages of one turn of the loop to a batch.

UTF-8 is validated once a batch: texts joined by line feeds are valid exactly when each of them is.
"""

from __future__ import annotations

from collections.abc import Iterator

from wscli.transport.frames.close_codes import Violation
from wscli.values import format_size

__all__ = ["MAX_BATCH", "Assembler", "is_utf8", "portions"]

MAX_BATCH = 256 * 1024
"""Bytes of messages in one batch, unless a single one is larger; also the limit of one read."""

_MAX_EMPTY = 1 << 16
"""Empty fragments of one message; the others are limited by its size."""

_TEXT, _BINARY = ord("t"), ord("b")


class Assembler:
    """Collects the messages of a batch; ``kinds`` is None while all of them are text.

    ``plain`` says that an unfragmented text message may be appended to ``payloads`` directly, which is fast: there is
    no fragment and no binary message in the batch.
    """

    __slots__ = ("_empty", "_max_message", "_partial", "_partial_kind", "kinds", "payloads", "plain")

    def __init__(self, max_message: int) -> None:
        self.payloads: list[bytes] = []
        self.kinds: bytearray | None = None
        self.plain = True
        self._max_message = max_message
        self._partial: bytearray | None = None
        self._partial_kind = _TEXT
        self._empty = 0

    def first(self, payload: bytes, *, text: bool, fin: bool) -> None:
        """Add an unfragmented message, or a first fragment.

        Raises:
            Violation: another message is incomplete (RFC 6455, section 5.4), or the message is too large.
        """
        if self._partial is not None:
            raise Violation(1002, "a message began inside another")
        if len(payload) > self._max_message:
            raise self.too_large(len(payload))
        kind = _TEXT if text else _BINARY
        if fin:
            self._add(payload, kind)
            return
        self._partial, self._partial_kind, self._empty = bytearray(payload), kind, 0
        self.plain = False

    def more(self, payload: bytes, *, fin: bool) -> None:
        """Add a continuation.

        Raises:
            Violation: there is no message to continue, or it becomes too large.
        """
        if self._partial is None:
            raise Violation(1002, "a continuation of nothing")
        self._empty += not payload
        if len(self._partial) + len(payload) > self._max_message:
            raise self.too_large()
        if self._empty > _MAX_EMPTY:
            raise Violation(1009, f"a message with more than {_MAX_EMPTY} empty fragments")
        self._partial += payload
        if fin:
            whole, self._partial = bytes(self._partial), None
            self.plain = self.kinds is None
            self._add(whole, self._partial_kind)

    def _add(self, payload: bytes, kind: int) -> None:
        if self.kinds is None and kind != _TEXT:
            self.kinds = bytearray(b"t" * len(self.payloads))
            self.plain = False
        self.payloads.append(payload)
        if self.kinds is not None:
            self.kinds.append(kind)

    def too_large(self, size: int | None = None) -> Violation:
        """Make the violation of a message of ``size`` bytes, where that is known; it names the key to raise."""
        of_size = "" if size is None else f" of {size} bytes"
        return Violation(1009, f"a message{of_size} is larger than max_message ({format_size(self._max_message)})")

    def take(self) -> tuple[list[bytes], bytes | None, Violation | None]:
        """Give the batch and start another; an invalid text and everything after it is left out."""
        payloads, kinds = self.payloads, self.kinds
        if payloads:
            self.payloads = []
        self.kinds = None
        self.plain = self._partial is None
        kept = None if kinds is None else bytes(kinds)
        bad = _invalid(payloads, kinds)
        if bad is None:
            return payloads, kept, None
        return payloads[:bad], _between(kept, 0, bad), Violation(1007, "a text message that is not UTF-8")


def _invalid(payloads: list[bytes], kinds: bytearray | None) -> int | None:
    """Give the index of the first text that is not UTF-8."""
    texts = (
        payloads if kinds is None else [payload for payload, kind in zip(payloads, kinds, strict=True) if kind == _TEXT]
    )
    if is_utf8(texts[0] if len(texts) == 1 else b"\n".join(texts)):
        return None
    return next(
        at for at, payload in enumerate(payloads) if (kinds is None or kinds[at] == _TEXT) and not is_utf8(payload)
    )


def is_utf8(payload: bytes) -> bool:
    """Whether bytes are valid UTF-8; fast for ASCII."""
    if payload.isascii():
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def portions(payloads: list[bytes], kinds: bytes | None) -> Iterator[tuple[list[bytes], bytes | None]]:
    """Split a batch into parts of at most ``MAX_BATCH`` bytes, or of one larger message."""
    if not payloads:
        return
    if len(payloads) == 1 or sum(map(len, payloads)) <= MAX_BATCH:
        yield payloads, kinds
        return
    start = size = 0
    for at, payload in enumerate(payloads):
        if size + len(payload) > MAX_BATCH and at > start:
            yield payloads[start:at], _between(kinds, start, at)
            start, size = at, 0
        size += len(payload)
    yield payloads[start:], _between(kinds, start, len(payloads))


def _between(kinds: bytes | None, start: int, end: int) -> bytes | None:
    cut = None if kinds is None else kinds[start:end]
    return cut if cut is None or _BINARY in cut else None
