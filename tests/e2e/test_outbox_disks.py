"""The outbox of a real manager on a disk that is full, or that cannot be written to."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_outbox import Recorder, config, recorder
from tests.processes import Wscli

__all__ = ["recorder"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def small(wscli: Wscli) -> Iterator[Path]:
    """A mounted disk of 1 MiB, where a manager keeps its state; skips where that is not allowed."""
    at = wscli.directory / "small"
    at.mkdir()
    done = run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(at))
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    wscli.env["XDG_STATE_HOME"] = str(at)
    yield at
    assert run("umount", str(at)).returncode == 0


def test_a_full_disk_refuses_messages_and_loses_none(wscli: Wscli, recorder: Recorder, small: Path) -> None:
    with wscli.up(config(recorder)):
        assert wscli("stop", "calls").returncode == 0
        assert wscli("send", "--queue", "calls", "first").returncode == 0
        ballast = small / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
        accepted = ["first"]
        for number in itertools.count():
            text = f"{number:04}" * 500
            done = wscli("send", "--queue", "calls", text)
            if done.returncode:
                break
            accepted.append(text)
        assert (done.returncode, "cannot grow: the disk is full" in done.stderr) == (7, True)
        assert "hint: make room on the disk" in done.stderr
        assert wscli("start", "calls").returncode == 0
        recorder.until("first")
        ballast.unlink()
        assert wscli("send", "--queue", "calls", "last").returncode == 0
        assert wscli("outbox", "flush", "--timeout", "60s").returncode == 0
        recorder.until("last")
        assert recorder.received == [*accepted, "last"]
        assert wscli.json("status", "--json")["problems"] == []


def test_a_disk_that_is_read_only_keeps_what_waits_and_refuses_more(
    wscli: Wscli, recorder: Recorder, small: Path
) -> None:
    with wscli.up(config(recorder)):
        assert wscli("stop", "calls").returncode == 0
        assert wscli("send", "--queue", "calls", "first").returncode == 0
    assert run("mount", "-o", "remount,ro", str(small)).returncode == 0
    with wscli.up(config(recorder)):
        refused = wscli("send", "--queue", "calls", "second")
        assert (refused.returncode, "cannot be used: read-only file system" in refused.stderr) == (7, True)
        assert "hint: its directory must be writable" in refused.stderr
        assert "read-only file system" in wscli("status").stdout
        unknown = wscli("outbox", "flush")
        assert (unknown.returncode, "cannot be used" in unknown.stderr) == (1, True)
        assert wscli("send", "calls", "direct").returncode == 0
        assert run("mount", "-o", "remount,rw", str(small)).returncode == 0
        recorder.until("first")
        assert wscli("outbox", "flush", "--timeout", "60s").returncode == 0
        assert wscli.json("status", "--json")["problems"] == []
    assert recorder.received == ["direct", "first"]
