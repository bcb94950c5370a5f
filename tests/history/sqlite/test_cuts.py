"""What was committed survives: the process's death at any moment, a power cut, and a disk that is full."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.history.sqlite.opening import Reports, committed, drain, fill, opened
from tests.history.ticking import Ticking
from tests.waiting import eventually

CUTS = 20


class Victim:
    """A process that writes a history, and what it promised."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, str(Path(__file__).with_name("victim.py")), str(path)]
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.popen.stdout is not None
        self.output = self.popen.stdout
        self.promised = 0

    def until_promised(self, more: int) -> None:
        """Read its lines until so many messages more are promised."""
        goal = self.promised + more
        while self.promised < goal:
            self.promised = int(self.output.readline())

    def stop(self) -> None:
        """Let it stand still, and read what it has promised by then."""
        self.popen.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED | os.WNOWAIT)
        os.set_blocking(self.output.fileno(), False)
        lines = (self.output.read() or b"").splitlines()
        os.set_blocking(self.output.fileno(), True)
        self.promised = max([self.promised, *map(int, lines)])

    def go_on(self) -> None:
        self.popen.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it, at once, and read what it had promised."""
        self.popen.kill()
        lines = self.output.read().splitlines()
        self.popen.wait()
        self.output.close()
        self.promised = max([self.promised, *map(int, lines)])


async def everything(path: Path) -> list[object]:
    async with opened(path, Ticking()) as history:
        return await drain(history, history.seek_start())


async def test_a_process_that_is_killed_at_any_moment_loses_nothing_committed(tmp_path: Path) -> None:
    chance, path = random.Random(1), tmp_path / "app" / "news.db"
    before = 0
    for _ in range(10):
        victim = Victim(path)
        victim.until_promised(before + 1 + chance.randrange(2000))
        victim.kill()
        kept = await everything(path)
        assert kept == list(range(1, len(kept) + 1)), "each once, in order, no hole"
        assert len(kept) >= victim.promised
        before = len(kept)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)


@contextlib.contextmanager
def mounted(at: Path, *what: str) -> Iterator[Path]:
    """Mount an image or a disk in memory, or skip where that is not allowed."""
    at.mkdir(exist_ok=True)
    done = run("mount", *what, str(at))
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        assert run("umount", str(at)).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mkfs.ext4"), reason="only root can mount an image")
async def test_a_power_cut_loses_nothing_committed(tmp_path: Path) -> None:
    chance, image, copy = random.Random(2), tmp_path / "disk", tmp_path / "copy"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    assert run("mkfs.ext4", "-q", str(image)).returncode == 0
    with mounted(tmp_path / "live", "-o", "loop", str(image)) as live:
        victim = Victim(live / "app" / "news.db")
        try:
            for _ in range(CUTS):
                victim.until_promised(1 + chance.randrange(1000))
                victim.stop()
                assert run("cp", "--sparse=always", str(image), str(copy)).returncode == 0  # as far as it is on disk
                promised = victim.promised
                victim.go_on()
                with mounted(tmp_path / "after", "-o", "loop", str(copy)) as after:
                    kept = await everything(after / "app" / "news.db")
                assert kept == list(range(1, len(kept) + 1))
                assert len(kept) >= promised
        finally:
            victim.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
async def test_a_disk_that_is_really_full_is_stated_and_heals(tmp_path: Path) -> None:
    told, small = Reports(), tmp_path / "small"
    with mounted(small, "-t", "tmpfs", "-o", "size=2m", "tmpfs"):
        async with opened(small / "app" / "news.db", Ticking(), told) as history:
            fill(history, 5)
            await committed(history)
            ballast = small / "ballast"
            with contextlib.suppress(OSError), ballast.open("wb") as file:
                while True:
                    file.write(bytes(4096))
                    file.flush()
            while not any(told.faults):
                fill(history, 500)
                await eventually(lambda: any(told.faults) or history.committed == history.last)
            assert told.faults[-1] is not None
            assert "the disk is full" in told.faults[-1]
            fill(history, 5)
            ballast.unlink()
            await committed(history)
            assert told.faults[-1] is None
            assert await drain(history, history.seek_start()) == list(range(1, history.last + 1)), "nothing is lost"
