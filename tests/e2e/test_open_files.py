"""Hundreds of channels need more open files than a shell usually allows: a manager has as many as may be."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from tests.backend.process import BackendProcess
from tests.processes import Wscli

CHANNEL = 'rooms/{id}: {path: "/consultations/{id}", history: {store: disk}, linger: 10m}'
ROOMS = [f"rooms/{number}" for number in range(60)]


@pytest.fixture
def few_files() -> Iterator[None]:
    """Let what is started have 128 open files, and raise that by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_files")
def test_a_manager_raises_its_soft_limit_of_open_files_for_its_channels(wscli: Wscli, backend: BackendProcess) -> None:
    with wscli.up(backend.config("many", CHANNEL, endpoint=", connect: {rate: 1000/s}")):
        assert wscli("start", *ROOMS).returncode == 0
        assert wscli("wait", *ROOMS, "--timeout", "60s").returncode == 0


def test_a_manager_out_of_descriptors_says_so_answers_and_goes_on_when_some_are_free(
    wscli: Wscli, backend: BackendProcess
) -> None:
    channel = CHANNEL.replace("disk", "memory")
    with wscli.up(backend.config("many", channel, endpoint=", connect: {rate: 1000/s}")) as manager:
        resource.prlimit(manager.pid, resource.RLIMIT_NOFILE, (48, 48))
        assert wscli("start", *ROOMS).returncode == 0
        manager.until(lambda: "out of file descriptors" in manager.stderr)
        status = wscli("status")
        assert (status.returncode, status.stderr) == (0, "")
        assert "out of file descriptors: the limit is 48" in status.stdout
        assert manager.stderr.count("out of file descriptors") == 1
        ready = [line.split()[0] for line in status.stdout.splitlines() if " ready " in line]
        waiting = [room for room in ROOMS if room not in ready]
        assert wscli("stop", *ready, *waiting[5:]).returncode == 0
        manager.wait_for(*waiting[:5])
        manager.until(lambda: "descriptors: mended" in manager.stderr)
