"""A manager on a server that does what it is told over its own channel: ``with scene() as running``."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.processes import Manager, Wscli
from wscli.control import paths

__all__ = ["CONFIG", "Scene", "free_registration", "obedient_server", "scene"]

CONFIG = """
version: 1
name: {name}
endpoints:
  here: {{url: "{url}"}}
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
def obedient_server() -> Iterator[str]:
    """Serve at a free port; gives the URL."""
    quiet = logging.getLogger("tests.client.scene")
    quiet.setLevel(logging.CRITICAL)
    with serve(_obey, "127.0.0.1", 0, logger=quiet, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def scene(name: str = "app") -> Iterator[Scene]:
    """Run a server and a manager, whose channels are ready."""
    with obedient_server() as url, Wscli() as command, command.up(CONFIG.format(name=name, url=url)) as manager:
        manager.wait_for("echo", "other", "held")
        yield Scene(command, manager)


def free_registration(directory: Path, name: str) -> str:
    """Register an instance whose manager is the test's own; gives the path to listen at."""
    directory.mkdir(mode=0o700)
    facts = {"file": "/srv/app.yaml", "pid": os.getpid()}
    Path(paths.registration_path(str(directory), name)).write_text(json.dumps(facts))
    return paths.socket_path(str(directory), name)


def until(predicate: Callable[[], bool], timeout: float = 30.0) -> None:
    """Wait until something of another thread holds, which cannot wake us."""
    deadline = time.monotonic() + timeout
    while not predicate():
        assert time.monotonic() < deadline
        time.sleep(0.005)
