"""The files of an instance are looked after while its manager runs."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.owning import own
from tests.process.test_ownership import environ, files, plan
from wscli.problems import Problems
from wscli.process.watch import INTERVAL, OwnershipWatch

__all__ = ["environ"]


class Ticks:
    """A schedule whose one timer rings when it is told to."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.ring: Callable[[], None] | None = None

    def __call__(self, delay: float, callback: Callable[[], None]) -> Ticks:
        self.delay, self.ring = delay, callback
        return self

    def cancel(self) -> None:
        self.ring = None

    def tick(self) -> None:
        assert self.ring is not None
        self.ring()


def test_removed_files_are_made_anew_within_seconds_and_the_log_says_so(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    ticks, listeners = Ticks(), list[socket.socket]()
    with own(plan(), environ) as owned:
        watch = OwnershipWatch(owned, Problems(), listeners.append, schedule=ticks)
        watch.start()
        assert ticks.delay == INTERVAL <= 3
        first = owned.listener
        ticks.tick()
        assert (listeners, caplog.messages) == ([], [])
        for path in Path(environ["WSCLI_RUNTIME_DIR"]).iterdir():
            path.unlink()
        ticks.tick()
        assert listeners == [owned.listener]
        assert files(environ) == ["app.json", "app.lock", "app.sock"]
        [said] = caplog.messages
        assert said.startswith("removed by another program, and made anew: /")
        ticks.tick()
        assert len(caplog.messages) == 1
        watch.close()
        assert ticks.ring is None
        first.close()


def test_what_cannot_be_made_anew_is_a_problem_until_it_can(environ: dict[str, str]) -> None:
    directory, ticks, problems = Path(environ["WSCLI_RUNTIME_DIR"]), Ticks(), Problems()
    with own(plan(), environ) as owned:
        watch = OwnershipWatch(owned, problems, lambda listener: None, schedule=ticks)
        watch.start()
        (directory / "app.json").unlink()
        (directory / "app.json").mkdir()
        ticks.tick()
        [text] = problems.texts()
        assert (
            text
            == f"instance: cannot register at {str(directory / 'app.json')!r}: is a directory; tries again every 2s"
        )
        (directory / "app.json").rmdir()
        ticks.tick()
        assert problems.texts() == []
        assert files(environ) == ["app.json", "app.lock", "app.sock"]
