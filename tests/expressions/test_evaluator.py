"""The processes that evaluate: they answer as jq does here, end with a deadline or a signal, and outlive nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from wscli.expressions.evaluator import EvaluationTimedOut, EvaluatorProcess, Program, holding

ENDLESS = "def f: f; f"


def results(expression: str, *texts: str) -> list[list[str] | str]:
    found: list[list[str] | str] = []
    for one in Program(expression).results(texts):
        try:
            found.append(list(one))
        except ValueError as error:
            found.append(str(error))
    return found


def test_the_results_are_those_of_jq() -> None:
    expected = [["1", '{"b":1}'], [], "Cannot iterate over number (5)", ["x"]]
    assert results(".[]", '[1, {"b": 1}]', "[]", "5", '["x"]') == expected


def test_a_condition_is_evaluated_with_its_variables_in_a_process() -> None:
    holds = holding("any(.[]; . == $ref)", {"ref": 7})
    assert holds("[1, 7]", None)
    assert not holds("[1]", None)
    with pytest.raises(ValueError, match="Cannot iterate over number"):
        holds("1", None)
    assert holds("[7]", None)


def test_a_condition_ends_at_its_deadline() -> None:
    holds = holding(ENDLESS)
    with pytest.raises(EvaluationTimedOut):
        holds("1", time.monotonic() + 0.2)


def test_results_are_read_as_they_are_made_and_may_be_left() -> None:
    answers = Program("repeat(1)").results(["1", "2"])
    first = next(answers)
    assert [next(first) for _ in range(3)] == ["1", "1", "1"]
    answers.close()


def test_a_signal_is_heard_during_an_evaluation() -> None:
    code = f"from wscli.expressions.evaluator import Program\nfor one in Program({ENDLESS!r}).results(['1']): list(one)"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    busy = _busy_child(process.pid)
    process.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in process.communicate(timeout=60)[1]
    busy.wait(60)


def test_an_evaluation_ends_with_a_parent_that_is_killed() -> None:
    code = f"from wscli.expressions.evaluator import Program\nfor one in Program({ENDLESS!r}).results(['1']): list(one)"
    process = subprocess.Popen([sys.executable, "-c", code])
    busy = _busy_child(process.pid)
    process.kill()
    process.wait(60)
    busy.wait(60)


def test_a_process_that_is_killed_fails_one_text_only() -> None:
    for process in psutil.Process().children():
        if "wscli.expressions.child" in process.cmdline():
            process.kill()
            process.wait(60)
    assert results("[.[]]", "[1]", "[2]") == [["[1]"], ["[2]"]]


def test_a_process_with_limits_says_which_one_ended_it() -> None:
    process = EvaluatorProcess(seconds=0.1)
    process.ask(b'{"program":"def f: f; f","condition":true,"values":{},"texts":["1"]}\n')
    assert process.sock.recv(1) == b""
    assert process.end() == "took longer than 0.1 s"
    process = EvaluatorProcess(memory=256 << 20)
    process.ask(b'{"program":"[range(1e9)]","condition":true,"values":{},"texts":["1"]}\n')
    assert process.sock.recv(1) == b""
    assert process.end() == "needs more than 256 MiB of memory"


def _busy_child(pid: int) -> psutil.Process:
    """Wait until an evaluation uses the processor."""
    for _ in range(2000):
        for child in psutil.Process(pid).children():
            if child.cpu_times().user > 0.2:
                assert child.pid != os.getpid()
                return child
        time.sleep(0.01)
    raise AssertionError("no child evaluates")
