"""Real processes for end-to-end tests: the installed command, managers, and what runs beside them.

A test module imports the fixture: ``from tests.processes import wscli``. Each test has directories of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psutil
import pytest

from wscli.control.client import connect_to
from wscli.control.selection import Selection
from wscli.errors import WscliError

__all__ = ["Manager", "Process", "Wscli", "wscli"]

COMMAND = [sys.executable, "-m", "wscli"]
_PATIENCE = 60.0
"""Seconds for whatever should take a moment; reaching them is a failure."""
_NOT_INHERITED = ("WSCLI_", "XDG_", "PYTHON", "COLUMNS", "LINES", "NO_COLOR", "TMPDIR")


@pytest.fixture
def wscli() -> Iterator[Wscli]:
    """The command, in an environment of its own."""
    with Wscli() as command:
        yield command


class Process:
    """A process in the background, whose stdout and stderr are collected line by line, without their newlines.

    With ``group`` signals go to all that it started, for programs that are a shell script around another.
    """

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdin: bool = False, group: bool = False
    ) -> None:
        self._group = group
        self.popen = subprocess.Popen(
            command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=group,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._collect, args=pair, daemon=True)
            for pair in ((self.popen.stdout, self.out), (self.popen.stderr, self.err))
        ]
        for thread in self._threads:
            thread.start()

    def _collect(self, stream: IO[bytes], lines: list[str]) -> None:
        for line in stream:
            with self._changed:
                lines.append(line.decode(errors="surrogateescape").removesuffix("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Its process number."""
        return self.popen.pid

    @property
    def stderr(self) -> str:
        """All of its stderr so far."""
        return "\n".join(self.err)

    def records(self) -> list[dict[str, Any]]:
        """The lines of stdout so far, as JSON."""
        return [json.loads(line) for line in list(self.out)]

    def write(self, text: str) -> None:
        """Give it stdin."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(text.encode())
        self.popen.stdin.flush()

    def until(self, predicate: Callable[[], object], timeout: float = _PATIENCE) -> None:
        """Return once the predicate holds; it is asked again at each line of output. AssertionError otherwise."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not predicate():
                ended = not any(thread.is_alive() for thread in self._threads)
                if ended or not self._changed.wait(min(1.0, deadline - time.monotonic())):
                    assert not ended, f"it ended with {self.popen.wait()} first\n{self.shown()}"
                    assert time.monotonic() < deadline, f"not within {timeout} s\n{self.shown()}"

    def until_lines(self, count: int, timeout: float = _PATIENCE) -> list[str]:
        """Return the lines of stdout once there are so many."""
        self.until(lambda: len(self.out) >= count, timeout)
        return list(self.out)

    def wait(self, timeout: float = _PATIENCE) -> int:
        """Wait for its end, with all of its output collected, and give its exit code."""
        code = self.popen.wait(timeout)
        for thread in self._threads:
            thread.join(timeout)
            assert not thread.is_alive(), f"a child of it holds its output open\n{self.shown()}"
        for stream in filter(None, (self.popen.stdin, self.popen.stdout, self.popen.stderr)):
            stream.close()
        return code

    def stop(self, number: int = signal.SIGTERM, timeout: float = _PATIENCE) -> int:
        """Send a signal (SIGTERM) and wait for its end."""
        if self._group:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
        elif self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.wait(timeout)

    def kill(self) -> None:
        """End it as ``kill -9`` does, where it still runs."""
        self.stop(signal.SIGKILL)

    def shown(self) -> str:
        """Its last lines, for a failure's message."""
        return "\n".join([f"command: {self.popen.args!r}", "stdout:", *self.out[-20:], "stderr:", *self.err[-40:]])


class Manager(Process):
    """``wscli up -c FILE`` in the foreground; entering it waits until its socket answers.

    Leaving it stops it with SIGTERM and checks that nothing stayed behind.
    """

    def __init__(self, command: Wscli, file: Path, *options: str) -> None:
        super().__init__([*COMMAND, "up", "-c", str(file), *options], env=command.env, cwd=command.directory)
        self.file = file
        self._command = command
        self._expects_trouble = False

    def __enter__(self) -> Self:
        self.until(lambda: any(" is up;" in line for line in self.err))  # what it says once its socket answers
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is not None:
            self.kill()
            if error is not None:
                error.add_note(self.shown())
            return
        alive = self.popen.poll() is None
        children = psutil.Process(self.pid).children(recursive=True) if alive else []
        code = self.stop()
        assert "Traceback" not in self.stderr, self.shown()
        assert not alive or code in (0, 143), self.shown()
        assert not psutil.wait_procs(children, timeout=30)[1], "it left child processes"
        left = [path.name for path in self._command.runtime.iterdir()]
        assert not left or not alive, f"it left {left} in the runtime directory"

    def stats(self) -> dict[str, Any]:
        """What ``wscli stats --json`` says."""
        return self._command.json("stats", "--json")

    def until_stats(self, predicate: Callable[[dict[str, Any]], bool], timeout: float = _PATIENCE) -> dict[str, Any]:
        """Ask for the counters until they satisfy the predicate; AssertionError otherwise."""
        deadline = time.monotonic() + timeout
        found: Any = None
        while True:
            with contextlib.suppress(WscliError):  # one that was stopped has too many clients for a moment
                if predicate(found := self.ask("stats", channels=[])):
                    return found
            assert time.monotonic() < deadline, f"after {timeout} s the counters still say {found}"
            time.sleep(0.02)

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Ask over its socket, as a command would, but without a process for it."""
        with connect_to(Selection(file=str(self.file)), self._command.env) as client:
            return client.request(verb, arguments, timeout=_PATIENCE)

    def wait_for(self, *channels: str, state: str = "ready", timeout: float = _PATIENCE) -> None:
        """Wait until channels are in a state, as ``wscli wait`` does."""
        done = self._command("wait", *channels, "--for", state, "--timeout", f"{timeout}s")
        assert done.returncode == 0, f"{done.stderr}\n{self.shown()}"


class Wscli:
    """The installed command in an environment of its own: ``wscli("stats", "--json")``.

    ``runtime`` is a short path, since an AF_UNIX path takes 107 bytes at most. Leaving it kills what it started.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="wscli-t-", dir="/tmp"))
        self.runtime = self.directory / "run"
        self.runtime.mkdir(mode=0o700)
        self.env = {name: text for name, text in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        for name in [name for name in self.env if name.lower().endswith("_proxy")]:
            del self.env[name]
        self.env |= {
            "HOME": str(self.directory),
            "WSCLI_RUNTIME_DIR": str(self.runtime),
            "XDG_STATE_HOME": str(self.directory / "state"),
            "TERM": "dumb",
        }
        self._started: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self._started:
            process.kill()
        shutil.rmtree(self.directory)

    def __call__(
        self,
        *args: str,
        input: str | bytes = b"",  # noqa: A002 - as subprocess.run calls it
        timeout: float = _PATIENCE,
        **env: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end; stdin is empty unless given."""
        data, whole_env = input.encode() if isinstance(input, str) else input, {**self.env, **env}
        done = subprocess.run(
            [*COMMAND, *args], input=data, capture_output=True, env=whole_env, cwd=self.directory, timeout=timeout
        )
        out, err = (text.decode(errors="surrogateescape") for text in (done.stdout, done.stderr))
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def json(self, *args: str) -> Any:
        """Run a verb that must succeed, and read its stdout as JSON."""
        done = self(*args)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, *args: str, stdin: bool = False, **env: str) -> Process:
        """Run a verb in the background."""
        command = [*COMMAND, *args]
        process = Process(command, env={**self.env, **env}, cwd=self.directory, stdin=stdin)
        self._started.append(process)
        return process

    def file(self, text: str, name: str = "app.yaml") -> Path:
        """Write a configuration file."""
        path = self.directory / name
        path.write_text(text)
        return path

    @contextlib.contextmanager
    def detached(self, text: str, *options: str) -> Iterator[subprocess.CompletedProcess[str]]:
        """Run ``up -d`` on a configuration, and ``down`` at the end."""
        file = self.file(text)
        try:
            yield self("up", "-d", "-c", file.name, *options)
        finally:
            assert self("down").returncode == 0

    def up(self, text: str, *options: str, name: str = "app.yaml") -> Manager:
        """Start a manager on a configuration: ``with wscli.up(YAML) as manager``."""
        manager = Manager(self, self.file(text, name), *options)
        self._started.append(manager)
        return manager
