"""The clocks: which one stands still while the machine sleeps, and which runs on."""

from __future__ import annotations

import time

import pytest

from wscli.clock import Clock, SystemClock


def test_each_clock_is_the_machines_own_and_runs() -> None:
    clock: Clock = SystemClock()
    for read, reference in ((clock.monotonic, time.monotonic), (clock.wall, time.time)):
        before, between, after = reference(), read(), reference()
        assert before <= between <= after


def test_boot_time_runs_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """CLOCK_BOOTTIME on Linux; on macOS CLOCK_MONOTONIC counts sleep, and time.monotonic() does not."""
    asked: list[int] = []

    def answer(clock: int) -> float:
        asked.append(clock)
        return 42.0

    monkeypatch.setattr(time, "clock_gettime", answer)
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 7, raising=False)
    assert SystemClock().boottime() == 42.0
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert SystemClock().boottime() == 42.0
    assert asked == [7, time.CLOCK_MONOTONIC]


def test_boot_time_never_falls_behind() -> None:
    clock = SystemClock()
    for _ in range(100):
        monotonic = clock.monotonic()
        assert clock.boottime() >= monotonic
