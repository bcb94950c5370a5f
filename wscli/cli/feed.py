"""A stream of JSON lines from the manager: ``status --watch`` and ``logs``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from wscli.control.client import ManagerConnection
from wscli.control.output import Output
from wscli.control.stream import Stream, StreamSink
from wscli.errors import error_for

__all__ = ["follow"]


class _Records(StreamSink):
    """Reads each line as JSON."""

    def __init__(self, take: Callable[[dict[str, Any]], None]) -> None:
        self._take = take

    def data(self, channel: str, body: memoryview) -> bool:
        for line in bytes(body).splitlines():
            self._take(json.loads(line))
        return False


def follow(client: ManagerConnection, take: Callable[[dict[str, Any]], None]) -> None:
    """Hand over record after record until the stream ends, or the reader of stdout is gone.

    Raises:
        WscliError: what the manager ended it with.
    """
    if sys.stdout is None:
        return
    sock, rest = client.take_over()
    output = None if sys.stdout.isatty() else _stdout()
    end = Stream(sock, _Records(take), rest=rest, output=output).run()
    if end.exit_code:
        raise error_for(end.exit_code, end.message, end.hint)


def _stdout() -> Output | None:
    try:
        return Output(sys.stdout.fileno())
    except (OSError, ValueError):  # replaced by an object without a descriptor
        return None
