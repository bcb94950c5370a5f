"""The demo back end as a peer for tests: ``demo`` in the test's own loop, ``demo_process`` in a process of its own.

A test module imports the fixtures that it wants: ``from tests.backends import demo, demo_process``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from wscli.demo.server import DemoServer

__all__ = ["DemoProcess", "OrderRefused", "demo", "demo_process"]


@pytest_asyncio.fixture
async def demo() -> AsyncIterator[DemoServer]:
    """A back end on a free port that says nothing by itself: ``await demo.notify()``."""
    async with DemoServer(port=0, interval=None, calls=None) as server:
        yield server


@pytest.fixture
def demo_process() -> Iterator[DemoProcess]:
    """The same in a process of its own, for tests of real processes."""
    with DemoProcess() as process:
        yield process


class OrderRefused(Exception):
    """The back end refused an order."""


class DemoProcess:
    """A back end in a process of its own; orders go over HTTP: ``process.order("kick", code=1012)``."""

    def __init__(self, *options: str, port: int = 0) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port

    def __enter__(self) -> DemoProcess:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, at the port that it had before if it was killed; returns once it listens."""
        read, write = os.pipe()
        arguments = ["--interval=0", "--no-calls", f"--port={self.port}", f"--ready-fd={write}", *self._options]
        try:
            self._process = subprocess.Popen([sys.executable, "-m", "wscli.demo", *arguments], pass_fds=[write])
        finally:
            os.close(write)
        with os.fdopen(read) as lines:
            line = lines.readline()
        assert line, f"the demo back end ended with {self._process.wait()} before it listened"
        self.port = json.loads(line)["port"]

    def stop(self) -> None:
        """End it in good order, and check that it did."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    @property
    def pid(self) -> int:
        """Its process number, for SIGSTOP and the like."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """``ws://127.0.0.1:PORT/ws``."""
        return f"ws://127.0.0.1:{self.port}/ws"

    def order(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Carry out an order of ``wscli.demo.controls``; OrderRefused says why it was not."""
        body = json.dumps(arguments).encode()
        request = urllib.request.Request(f"{self.url}/admin/{name}", data=body, method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                raise OrderRefused(error.read().decode()) from None
        return found

    def stats(self) -> dict[str, Any]:
        """What it saw: ``connections``, ``paths``, ``dials``, ``tokens``."""
        return self.order("stats")

    def until(self, predicate: Callable[[dict[str, Any]], bool], timeout: float = 30.0) -> dict[str, Any]:
        """Ask for its figures until they satisfy the predicate; TimeoutError otherwise. It may be gone meanwhile."""
        deadline = time.monotonic() + timeout
        found: object = None
        while time.monotonic() < deadline:
            try:
                stats = found = self.stats()
                if predicate(stats):
                    return stats
            except urllib.error.URLError as error:
                found = error
            time.sleep(0.02)  # a poll of another process, which cannot wake us
        raise TimeoutError(f"after {timeout} s the back end still says {found}")
