"""Programs of others, as peers: a browser, and a server on the npm package ``ws``.

A peer that is absent skips its tests; with ``WSCLI_REQUIRE_PEERS=1`` it fails them.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

import pytest

from tests.processes import Process

__all__ = ["Chromium", "NodeServer", "absent", "npm_package", "program"]

_HERE = Path(__file__).parent


def absent(reason: str) -> NoReturn:
    """Skip the test, or fail it where peers are required."""
    if os.environ.get("WSCLI_REQUIRE_PEERS") == "1":
        pytest.fail(f"a required peer is absent: {reason}", pytrace=False)
    pytest.skip(reason)


def program(name: str) -> str:
    """Give the path of a program of the system."""
    return shutil.which(name) or absent(f"{name} is not installed")


def npm_package(name: str) -> Path:
    """Give the directory of an npm package, installed beside ``package.json`` if it is not yet."""
    home = _HERE / "npm"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        absent("node and npm are not installed")
    package = home / "node_modules" / name
    with (home / "package.json").open() as lock:  # two test processes at once install once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (package / "package.json").exists():
            command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=120, check=False)
            if done.returncode:
                absent(f"npm could not install {name!r}: {done.stderr.strip()[-500:]}")
    return package


class NodeServer:
    """``server.js``: numbered messages at an interval, and an echo."""

    def __init__(self, directory: Path, *, interval_ms: int = 5) -> None:
        npm_package("ws")
        self._directory = directory
        self._interval_ms = interval_ms
        self._process: Process | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.start(first=1)
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def start(self, *, first: int) -> None:
        """Listen, at the port that it had before if it was killed, and number messages from ``first``."""
        command = ["node", str(_HERE / "server.js"), str(self.port), str(first), str(self._interval_ms)]
        self._process = Process(command, env=os.environ, cwd=self._directory)
        self.port = json.loads(self._process.until_lines(1)[0])["port"]

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self._process is not None:
            self._process.kill()


class Chromium:
    """A headless browser, whose DevTools endpoint is a WebSocket server that nobody here wrote."""

    FLAGS: Sequence[str] = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
        *("--proxy-server=127.0.0.1:9", "--remote-debugging-port=0"),  # a proxy that nobody runs: it reaches no network
    )

    def __init__(self) -> None:
        browser = program("chromium-headless-shell")
        self._profile = Path(tempfile.mkdtemp(prefix="wscli-chromium-"))
        command = [browser, *self.FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        env = {**os.environ, "HOME": str(self._profile)}
        self._process = Process(command, env=env, cwd=self._profile, group=True)

    def __enter__(self) -> Self:
        try:
            self._process.until(self._endpoint)
        except BaseException:
            self.__exit__()
            raise
        return self

    def kill(self) -> None:
        """End it, and all of its processes, as ``kill -9`` does."""
        self._process.kill()

    def __exit__(self, *exc: object) -> None:
        self.kill()
        shutil.rmtree(self._profile, ignore_errors=True)  # its last child may still be writing there

    def _endpoint(self) -> str:
        return next((line.split()[-1] for line in self._process.err if line.startswith("DevTools listening on")), "")

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``."""
        return self._endpoint().split("/")[2]

    @property
    def path(self) -> str:
        """The path of the socket that speaks for the browser as a whole: ``/devtools/browser/ID``."""
        return "/" + self._endpoint().split("/", 3)[3]

    def page(self) -> str:
        """Give the id of its one page: its socket is ``ws://ADDRESS/devtools/page/ID``."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{self.address}/json/list", timeout=30) as answer:
            targets: list[dict[str, Any]] = json.load(answer)
        return next(str(target["id"]) for target in targets if target["type"] == "page")
