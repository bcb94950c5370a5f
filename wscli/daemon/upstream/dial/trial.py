"""A second connection, opened and closed at once, for ``doctor --dial``."""

from __future__ import annotations

from wscli.clock import Clock
from wscli.core.events import Failure
from wscli.daemon.upstream.dial.dialer import CLOSE_DEADLINE, AttemptRecord, Dialer, DialRequest
from wscli.tokens.errors import TokenFailed
from wscli.transport.connection import DialError

__all__ = ["dial_once"]


async def dial_once(dialer: Dialer, request: DialRequest, clock: Clock) -> AttemptRecord:
    """Open a connection, close it, and give the record of the attempt."""
    record = AttemptRecord(started=clock.wall())
    try:
        connection = await dialer.dial(request, _Deaf(), record, lambda code, text: None)
    except (DialError, TokenFailed) as error:
        record.failure = error.failure
    else:
        try:
            await connection.close(1000, deadline=CLOSE_DEADLINE)
        finally:
            connection.abort()  # without effect on one that is closed
    return record


class _Deaf:
    """A listener that ignores everything."""

    def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Ignore messages."""

    def on_end(self, failure: Failure) -> None:
        """Ignore the end."""
