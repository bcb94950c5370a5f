"""What the attempts of one upstream do: logged at level ``debug``, and counted by its channels."""

from __future__ import annotations

import logging

from wscli.core.failures import Failure, FailureKind
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.members.subscribers import Subscribers
from wscli.values import format_duration

__all__ = ["Trace"]

logger = logging.getLogger("wscli.upstream")


class Trace:
    """Logs and counts; a duration is in seconds."""

    __slots__ = ("_name", "_subscribers")

    def __init__(self, name: str, subscribers: Subscribers) -> None:
        self._name = name
        self._subscribers = subscribers

    def dialling(self, url: str) -> None:
        """Note the start of an attempt; ``url`` is without secrets."""
        self._subscribers.count("dials")
        self._log("dial", "dialling %s", url)

    def opened(self, record: AttemptRecord) -> None:
        """Note that an attempt opened its connection."""
        took = sum(step.seconds for step in record.timeline.steps)
        self._log("open", "connected to %s within %s", record.timeline.peer or "the server", format_duration(took))

    def failed(self, failure: Failure) -> None:
        """Note that an attempt failed before its connection was open."""
        refused = failure.kind is FailureKind.STATUS
        self._subscribers.count("dial_failures")
        if refused:
            self._subscribers.count("refusals")
        self._log("refused" if refused else "failed", "not connected: %s", failure.text)

    def closed(self, text: str) -> None:
        """Note the end of an open connection."""
        self._log("close", "%s", text)

    def waiting(self, delay: float, attempts: int) -> None:
        """Note the wait after so many attempts in a row."""
        self._subscribers.count("retries")
        self._log("retry", "waiting %s before attempt %d", format_duration(delay), attempts + 1)

    def _log(self, event: str, text: str, *args: object) -> None:
        logger.debug(f"%s: {text}", self._name, *args, extra={"channel": self._name, "event": event})
