"""The table that redraws itself: how far consumers are is asked for, since nothing tells of each acknowledgement."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from tests.cli.test_formatting import one
from wscli.cli.live import Lags, states_table
from wscli.errors import TimedOut


def drawn(*states: Any) -> list[str]:
    console = Console(width=120, force_terminal=False, color_system=None)
    with console.capture() as captured:
        console.print(states_table("app", list(states), ["the manager's own"], now=1001.0))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_consumers_stand_below_the_table_before_the_problems() -> None:
    lines = drawn(one("orders", consumers={"b\x1b[2J": {"seq": 1, "lag": 2, "held_by": None}}))
    assert lines[-2:] == [
        "consumer: orders: b\\x1b[2J is 2 messages behind; without a reader",
        "problem: the manager's own",
    ]


def test_how_far_consumers_are_is_asked_for_once_a_second_and_what_is_known_stands_until_then() -> None:
    now, answers = [100.0], [1, 0]

    def look() -> list[Any]:
        if not answers:
            raise TimedOut("the manager did not answer in time")
        return [one("orders", consumers={"b": {"seq": 1, "lag": answers.pop(0), "held_by": None}})]

    lags = Lags(look, clock=lambda: now[0])
    known = [one("orders", consumers={"b": {"seq": 1, "lag": 9, "held_by": None}}), one("new")]
    seen = []
    for _ in range(8):
        states = lags.put_into(known)
        assert states[1] == known[1]
        seen.append(states[0]["consumers"]["b"]["lag"])
        now[0] += 0.5
    assert seen == [9, 9, 1, 1, 0, 0, 0, 0]
