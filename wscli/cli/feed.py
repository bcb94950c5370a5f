"""A stream of JSON lines from the manager: ``status --watch`` and ``logs``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from wscli.control.acks import Acks
from wscli.control.client import Client
from wscli.control.output import Output
from wscli.control.stream import Stream
from wscli.errors import WscliError, error_for

__all__ = ["follow"]


class _Records:
    """A sink that reads each line as JSON."""

    stopped_at: int | None = None
    acknowledges = False
    failure: WscliError | None = None

    def __init__(self, take: Callable[[dict[str, Any]], None]) -> None:
        self._take = take

    def begin(self, acks: Acks | None) -> None:
        pass

    def settle(self, *, at_once: bool = False) -> None:
        pass

    def stop(self) -> None:
        pass

    def data(self, channel: str, body: memoryview) -> bool:
        for line in bytes(body).splitlines():
            self._take(json.loads(line))
        return False

    def gap(self, record: dict[str, Any]) -> bool:
        return False

    def state(self, record: dict[str, Any]) -> None:
        pass

    def notice(self, record: dict[str, Any]) -> None:
        pass


def follow(client: Client, take: Callable[[dict[str, Any]], None]) -> None:
    """Hand over record after record until the stream ends, or nobody reads stdout any more.

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
    except (OSError, ValueError):  # replaced by something that is no file
        return None
