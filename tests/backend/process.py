"""The back end of the tests in a process of its own: ``from tests.backend.process import backend``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.waiting import until

__all__ = ["BackendProcess", "backend"]

ROOT = Path(__file__).parents[2]
# The directory of `tests` comes last, so that an installed wheel is what the process imports as wscli.
PROGRAM = f"import sys; sys.path.append({str(ROOT)!r}); from tests.backend.server import main; main()"


@pytest.fixture
def backend() -> Iterator[BackendProcess]:
    """A back end that makes nothing by itself: ``backend.order("make_notifications")``."""
    with BackendProcess() as process:
        yield process


class BackendProcess:
    """A back end in its own process; orders go over HTTP: ``process.order("kick", code=1012)``.

    Options are those of ``Backend``.
    """

    def __init__(self, **options: Any) -> None:
        read, write = os.pipe()
        command = [sys.executable, "-c", PROGRAM, json.dumps(options), str(write)]
        try:
            self._process = subprocess.Popen(command, pass_fds=[write])
        finally:
            os.close(write)
        with os.fdopen(read) as ready:
            port = ready.read()
        assert port, f"the back end ended with {self._process.wait()} before it listened"
        self.port = int(port)
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}/ws"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(30) == 0

    def config(self, name: str, *channels: str, endpoint: str = "", more: str = "") -> str:
        """Give the file of an instance with channels on this back end: ``config("app", "calls: {path: /calls}")``.

        ``endpoint`` adds to the endpoint, and ``more`` to the file.
        """
        lines = "".join(f"  {channel.replace(': {', ': {endpoint: api, ', 1)}\n" for channel in channels)
        return (
            f"version: 1\nname: {name}\nendpoints:\n"
            f'  api: {{url: "{self.ws_url}", query: {{token: "{{token.session}}"}}{endpoint}}}\n'
            f"tokens:\n  session: {{http: {{post: {self.url}/ws-token}}, read: {{token: .token}}}}\n"
            f"{more}channels:\n{lines}"
        )

    def order(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Carry out an order of ``Backend``."""
        request = urllib.request.Request(f"{self.url}/order/{name}", data=json.dumps(arguments).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def stats(self) -> dict[str, Any]:
        """Its counters: ``connections``, ``dials``, ``token_requests``."""
        return self.order("stats")

    def until(self, predicate: Callable[[dict[str, Any]], bool], timeout: float = 60.0) -> None:
        """Ask for its counters until they satisfy the predicate; AssertionError otherwise."""
        until(lambda: predicate(self.stats()), timeout)
