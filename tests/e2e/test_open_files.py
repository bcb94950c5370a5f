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
