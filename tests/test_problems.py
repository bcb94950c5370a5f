"""Problems are said once, shown until they are mended, and each change of them is told."""

from __future__ import annotations

import logging

import pytest

from wscli.problems import Problems


def test_a_problem_is_shown_until_it_is_mended() -> None:
    problems = Problems()
    problems.state("on_state", "exited with 1")
    problems.state("on_message", "killed after 10s")
    assert problems.texts() == ["on_state: exited with 1", "on_message: killed after 10s"]
    problems.state("on_state", "exited with 2")
    assert problems.texts() == ["on_state: exited with 2", "on_message: killed after 10s"]
    problems.mended("on_state")
    assert (problems.texts(), len(problems)) == (["on_message: killed after 10s"], 1)


def test_only_what_is_new_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wscli.manager")
    told: list[int] = []
    problems = Problems("calls", on_change=lambda: told.append(len(problems)))
    problems.mended("on_message")
    problems.state("on_message", "exited with 3")
    problems.state("on_message", "exited with 3")
    problems.mended("on_message")
    assert told == [1, 0]
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("WARNING", "calls: on_message: exited with 3"),
        ("INFO", "calls: on_message: mended"),
    ]


def test_the_managers_own_stand_in_the_log_without_a_prefix(caplog: pytest.LogCaptureFixture) -> None:
    Problems().state("gateway", "the address is in use")
    assert caplog.messages == ["gateway: the address is in use"]
