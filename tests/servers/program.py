"""A server that nobody here wrote, as a process: started on a free port, killed, and started again on the same."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.e2e.peers.programs import npm_package
from tests.processes import Process

__all__ = ["HERE", "HttpProgram", "NodeProgram", "Program"]

HERE = Path(__file__).parent


class Program:
    """A server; ``port`` is 0 until it has started once."""

    def __init__(self, directory: Path) -> None:
        """``directory`` is for its files."""
        self.directory = directory
        self.port = 0
        self.process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def command(self) -> Sequence[str]:
        """What to run; at port 0 it chooses one."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """What it runs in."""
        return os.environ

    def listening(self, process: Process) -> int:
        """Give the port that it says that it listens at; 0: not yet."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, and return once it listens."""
        process = Process(self.command(), env=self.environment(), cwd=self.directory, stdin=True, group=True)
        self.process = process
        try:
            process.until(lambda: self.listening(process))
        except BaseException:
            self.kill()
            raise
        self.port = self.listening(process)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self.process is not None:
            self.process.kill()

    def restart(self) -> None:
        """Kill it, and start it on the same port."""
        self.kill()
        self.start()


class HttpProgram(Program):
    """A server that speaks HTTP at the same port; orders are JSON at ``/order``, where it takes any."""

    def order(self, **orders: Any) -> None:
        """Have it do something, and return once it did."""
        self.http("/order", orders)

    def http(self, path: str, body: Any = None) -> Any:
        """Send a request with a JSON body, or without one, and give the answer, parsed."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        headers = {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        with opener.open(request, timeout=30) as answer:
            return json.load(answer)


class NodeProgram(Program):
    """A script beside this file, on packages of npm; it takes orders, and tells what happens."""

    script: str
    packages: Sequence[str]
    arguments: Sequence[str] = ()

    def command(self) -> Sequence[str]:
        for package in self.packages:
            npm_package(package)
        return ["node", str(HERE / self.script), str(self.port), *self.arguments]

    def listening(self, process: Process) -> int:
        return int(json.loads(process.out[0])["port"]) if process.out else 0

    def order(self, **orders: Any) -> None:
        """Have it do something, and return once it did."""
        assert self.process is not None
        line = json.dumps(orders)
        before = self.events("obeyed").count(line)
        self.process.write(line + "\n")
        self.process.until(lambda: self.events("obeyed").count(line) > before)

    def events(self, kind: str) -> list[Any]:
        """What happened of a kind, since it was last started."""
        assert self.process is not None
        return [event[kind] for event in self.process.records() if kind in event]

    def until(self, kind: str, what: Any, times: int = 1) -> None:
        """Return once something happened so many times since it was last started."""
        assert self.process is not None
        self.process.until(lambda: self.events(kind).count(what) >= times)
