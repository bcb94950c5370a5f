"""Managers that are no more than a socket and what they answer, to see how the drop-in takes it."""

from __future__ import annotations

import contextlib
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wscli.control.protocol import encode_line, failure, greeting, success
from wscli.errors import UnknownChannel

__all__ = ["ATTACHED", "UNKNOWN", "Managers", "managers"]

ATTACHED = encode_line({**greeting(), **success({"channel": "calls"})})
UNKNOWN = encode_line({**greeting(), **failure(UnknownChannel("no channel of instance 'app' has this URL", "look"))})


class Managers:
    """The managers of a runtime directory. ``asked`` is who was asked for what, in order."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked: list[tuple[str, str]] = []
        self._ending = contextlib.ExitStack()

    def add(self, name: str, answer: bytes | None, *, file: str = "/nowhere/app.yaml") -> None:
        """Run one that answers everybody so, and hangs up; None never answers."""
        self.register(name, file=file)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.directory / f"{name}.sock"))
        listener.listen()
        thread = threading.Thread(target=self._serve, args=(name, listener, answer))
        thread.start()
        self._ending.callback(thread.join)
        self._ending.callback(listener.close)
        self._ending.callback(listener.shutdown, socket.SHUT_RDWR)

    def register(self, name: str, *, file: str = "/nowhere/app.yaml") -> None:
        """Register one that need not run."""
        (self.directory / f"{name}.json").write_text(json.dumps({"file": file, "pid": 1}))

    def _serve(self, name: str, listener: socket.socket, answer: bytes | None) -> None:
        with contextlib.ExitStack() as held:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                held.callback(sock.close)
                line: dict[str, Any] = json.loads(sock.makefile("rb").readline())
                self.asked.append((name, line["args"]["url"]))
                if answer is not None:
                    sock.sendall(answer)
                    sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End them all."""
        self._ending.close()


@pytest.fixture
def managers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Managers]:
    """A runtime directory, in which managers may be added."""
    with tempfile.TemporaryDirectory(prefix="wscli-t-", dir="/tmp") as directory:
        monkeypatch.setenv("WSCLI_RUNTIME_DIR", directory)
        found = Managers(Path(directory))
        yield found
        found.close()
