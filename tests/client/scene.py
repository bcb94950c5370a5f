"""A manager on a server that does what it is told over its own channel: ``with scene() as running``; and both clients.

``from tests.client.scene import client, make, running``: a test that takes one of the first two runs with each client.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from tests.adapter.upstream import serving
from tests.processes import Manager, Wscli
from wscli import AsyncClient, Client
from wscli.control import paths

__all__ = ["Make", "Scene", "client", "free_registration", "make", "running", "scene"]

CONFIG = """
version: 1
name: {name}
endpoints:
  here: {{url: "ws://127.0.0.1:{port}"}}
  nowhere: {{url: "ws://127.0.0.1:1/"}}
backoff:
  default: {{initial: 10ms, max: 20ms}}
tokens:
  session: {{value: "a-token"}}
channels:
  echo: {{endpoint: here, path: /echo}}
  other: {{endpoint: here, path: /other}}
  lost: {{endpoint: nowhere, critical: false, open: lazy}}
  held: {{endpoint: here, path: /held, critical: false}}
  kept: {{endpoint: here, path: /kept, history: {{store: disk}}}}
"""


class Scene(NamedTuple):
    """A manager that runs."""

    command: Wscli
    manager: Manager

    @property
    def environ(self) -> Mapping[str, str]:
        """Where a client finds it, and no other."""
        return {"WSCLI_RUNTIME_DIR": str(self.command.runtime)}

    def until_readers(self, count: int, channel: str = "echo") -> None:
        """Wait until a channel has so many readers."""
        self.manager.until_stats(lambda stats: bool(stats["channels"][channel]["readers"] == count))


def _answer_together(connection: ServerConnection, order: dict[str, Any], waiting: list[object]) -> None:
    waiting.append(order["id"])
    if len(waiting) == order["together"]:
        for place in reversed(range(len(waiting))):
            connection.send(json.dumps({"reply": waiting[place], "place": place}))
        waiting.clear()


def _obey(connection: ServerConnection) -> None:
    """Echo bytes, and do what JSON says; the reply carries the order's id.

    Orders that are to be answered together are answered once there are so many, the last one first.
    """
    waiting: list[object] = []
    try:
        for message in connection:
            if isinstance(message, bytes):
                connection.send(message)
                continue
            order = json.loads(message)
            for number in range(order.get("burst", 0)):
                connection.send(json.dumps({"n": number}))
            for text in order.get("say", ()):
                connection.send(text)
            if "together" in order:
                _answer_together(connection, order, waiting)
            elif "id" in order:
                connection.send(json.dumps({"reply": order["id"]}))
            if "close" in order:
                connection.close(order["close"])
    except ConnectionClosed:
        pass


@contextmanager
def scene(name: str = "app") -> Iterator[Scene]:
    """Run a server and a manager, whose channels are ready."""
    quiet = logging.getLogger("tests.client.scene")
    quiet.setLevel(logging.CRITICAL)
    with (
        serving(_obey, logger=quiet, compression=None) as port,
        Wscli() as command,
        command.up(CONFIG.format(name=name, port=port)) as manager,
    ):
        manager.wait_for("echo", "other", "held")
        yield Scene(command, manager)


def free_registration(directory: Path, name: str) -> str:
    """Register an instance whose manager is the test's own; gives the path to listen at."""
    directory.mkdir(mode=0o700)
    facts = {"file": "/srv/app.yaml", "pid": os.getpid()}
    Path(paths.registration_path(str(directory), name)).write_text(json.dumps(facts))
    return paths.socket_path(str(directory), name)


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    with scene() as made:
        yield made


class Blocking:
    """``wscli.AsyncClient``, called as `wscli.Client` is; and what its ``tail`` gives, taken from as that is."""

    def __init__(self, wrapped: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._wrapped = wrapped
        self._loop = loop

    def _do(self, awaitable: Any) -> Any:
        async def awaited() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._wrapped, {"close": "aclose"}.get(name, name))
        return lambda *args, **options: self._do(method(*args, **options))

    def tail(self, *args: Any, **options: Any) -> Any:
        tail = Blocking(self._wrapped.tail(*args, **options), self._loop)
        self._do(tail._wrapped.__aenter__())  # which `wscli.Client` does at once
        return tail

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        self._do(self._wrapped.__aexit__(*error))

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        try:
            return self._do(anext(self._wrapped))
        except StopAsyncIteration:
            raise StopIteration from None


Make = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Make a client, with each of both classes in turn."""
    if request.param == "sync":
        yield Client
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield lambda *args, **options: Blocking(AsyncClient(*args, **options), loop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def client(running: Scene, make: Make) -> Client:
    made: Client = make("app", environ=running.environ)
    return made
