"""``send --json``: what became of each message, an object a line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from wscli.control.frames import json_body
from wscli.control.output import Output, OutputClosed
from wscli.errors import ExitCode, WscliError

__all__ = ["Outcomes"]


class Outcomes:
    """Prints outcomes on stdout, if enabled. A closed stdout stops no message."""

    def __init__(self, channel: str, *, enabled: bool) -> None:
        self._channel = channel
        self._output = Output(sys.stdout.fileno()) if enabled and sys.stdout is not None else None
        self._failed = False
        self._handed_over = self._settled = False
        self._lost = 0

    def sent(self) -> None:
        """Note that the message in ``reporting`` was sent: a later failure does not change that."""
        self._handed_over = True

    def lost(self, count: int) -> None:
        """Note that so many messages were under way together, each with an unknown outcome."""
        self._lost = count

    def settled(self) -> None:
        """Note that the messages in ``reporting`` have their outcome: a later interrupt tells of none."""
        self._settled = True

    def succeeded(self, outcome: str, count: int = 1) -> None:
        """Print that messages were ``sent``, or ``acked``."""
        self._put([self._object(outcome, ExitCode.OK, None)] * count)

    def queued(self, number: int, outcome: str, code: int, error: str | None = None) -> None:
        """Print the outcome of one message of the outbox."""
        self._put([self._object(outcome, code, error, id=number)])

    @contextlib.contextmanager
    def reporting(self) -> Iterator[None]:
        """Print the outcome of the message that fails or is interrupted in here, or of the lost ones, once."""
        self._handed_over = self._settled = False
        try:
            yield
        except WscliError as error:
            self._fail(error.exit_code, error.message)
            raise
        except KeyboardInterrupt:
            if not self._settled:
                self._fail(ExitCode.INTERRUPTED, "interrupted")
            raise

    def _fail(self, code: int, text: str) -> None:
        if self._failed:
            return
        self._failed = True
        unknown = self._lost or code == ExitCode.OUTCOME_UNKNOWN
        outcome = "sent" if self._handed_over else "unknown" if unknown else "rejected"
        self._put([self._object(outcome, code, text)] * (self._lost or 1))

    def _object(self, outcome: str, code: int, error: str | None, **facts: int) -> bytes:
        told = {"channel": self._channel, "outcome": outcome, "code": int(code), "error": error, **facts}
        return json_body(told) + b"\n"

    def _put(self, lines: list[bytes]) -> None:
        if self._output is not None:
            try:
                self._output.write(b"".join(lines))
            except OutputClosed:
                self._output = None
