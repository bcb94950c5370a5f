"""Commands in the test's own process: ``from tests.inline import here``."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile

import pytest

from tests.processes import Wscli
from wscli.cli import main

__all__ = ["Here", "here"]


class Here:
    """Runs a verb in the test's own process, in the environment of a ``Wscli``: a tenth of the work of a process.

    For verbs that ask a manager and end; ``up`` forks.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, wscli: Wscli, *args: str, input: bytes = b"") -> subprocess.CompletedProcess[str]:  # noqa: A002
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
        with self._monkeypatch.context() as patch, tempfile.TemporaryFile() as file:
            for name in os.environ.keys() - wscli.env.keys():
                patch.delenv(name)
            for name, text in wscli.env.items():
                patch.setenv(name, text)
            patch.chdir(wscli.directory)
            file.write(input)
            file.seek(0)
            patch.setattr(sys, "stdin", io.TextIOWrapper(file))
            self._capfd.readouterr()
            code = main(list(args))
            out, err = self._capfd.readouterr()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(args, code, out, err)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """Verbs in the test's own process: ``here(wscli, "stats")``."""
    return Here(monkeypatch, capfd)
