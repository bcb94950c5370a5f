"""Numbers and times as people read them, and the lines and tables that are made of them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from rich.console import Console

from wscli.cli.formatting import change_line, duration, next_step, size, state_style, status_line
from wscli.cli.live import Lags, states_table
from wscli.cli.tables import states_text, stats_text, table, tokens_text
from wscli.core.states import ChannelState
from wscli.errors import TimedOut


def one(
    channel: str = "calls", state: str = "ready", action: str = "none", at: float | None = None, **more: Any
) -> Any:
    return {
        "channel": channel,
        "state": state,
        "since": 1000.0,
        "reason": {"code": "c", "text": "HTTP 503 with Retry-After"},
        "next": {"action": action, "at": at},
        "critical": True,
        "attempt": 1,
        "consumers": {},
        "problems": [],
        **more,
    }


def test_durations_have_at_most_two_parts() -> None:
    texts = {-1: "0ms", 0: "0ms", 0.0004: "0.4ms", 0.012: "12ms", 0.9999: "1s", 1: "1s", 4.25: "4.2s", 9.96: "10s"}
    texts |= {59.6: "1m", 90: "1m30s", 3600: "1h", 3725: "1h2m", 90061: "1d1h"}
    assert {seconds: duration(seconds) for seconds in texts} == texts


def test_sizes_are_in_powers_of_1024() -> None:
    texts = {0: "0B", 1023: "1023B", 1024: "1.0KiB", 3400: "3.3KiB", 5 << 30: "5.0GiB"}
    assert {count: size(count) for count in texts} == texts


@pytest.mark.parametrize(
    ("action", "at", "attempt", "words"),
    [
        ("retry", 1014.0, 0, "dials in 14s"),  # it was healthy: nothing is counted yet
        ("retry", 1014.0, 1, "dials in 14s; attempt 2"),
        ("retry", 1014.0, 3, "dials in 14s; attempt 4"),
        ("retry", 999.0, 1, "dials now; attempt 2"),
        ("subscribe", 1014.0, 1, "subscribes again in 14s; attempt 2"),
        ("dial", 1014.0, 1, "dials in 14s"),  # a dial says which attempt it is, and so did the wait before it
        ("dial", 1014.0, 4, "dials in 14s; attempt 4"),
        ("dial", None, 1, "dials now"),
        ("network", None, 1, "dials when there is a network"),
        ("use", None, 1, "opens when it is used"),
        ("resume", None, 1, "`wscli resume calls`"),
        ("start", None, 1, "`wscli start calls`"),
        ("none", None, 1, ""),
        ("levitate", None, 1, "levitate"),
    ],
)
def test_the_next_step_is_said_in_words_that_can_be_acted_on(
    action: str, at: float | None, attempt: int, words: str
) -> None:
    assert next_step(one(action=action, at=at, attempt=attempt), now=1000.0) == words


def test_every_state_has_a_colour() -> None:
    assert {state_style(state) for state in ChannelState} == {"green", "red", "yellow", "bright_black"}


def test_a_table_is_aligned_and_what_could_steer_a_terminal_is_escaped() -> None:
    assert table(("A", "LONG"), [("aaa", "1"), ("b\x1b[2J", "")]) == "A         LONG\naaa       1\nb\\x1b[2J\n"


def test_the_status_table_has_the_reason_and_the_next_step() -> None:
    text = states_text([one(state="waiting", action="retry", at=1014.0)], now=1001.0)
    assert text == (
        "CHANNEL  STATE    FOR  CRITICAL  REASON                     NEXT\n"
        "calls    waiting  1s   yes       HTTP 503 with Retry-After  dials in 13s; attempt 2\n"
    )


def test_problems_stand_below_the_states_and_after_a_change() -> None:
    failing = one(problems=["on_message: exited with 3: \x1b[2J"])
    own = ["gateway 127.0.0.1:8787: the address is in use"]
    assert states_text([failing, one("b")], own, now=1001.0).splitlines()[3:] == [
        "problem: gateway 127.0.0.1:8787: the address is in use",
        "problem: calls: on_message: exited with 3: \\x1b[2J",
    ]
    assert status_line("app", [failing]) == "app: 1/1 ready; 1 problem"
    assert status_line("app", [failing], own) == "app: 1/1 ready; 2 problems"
    assert change_line(failing).endswith("; problem: on_message: exited with 3: \\x1b[2J\n")


def test_consumers_stand_below_the_states_with_their_lag_and_their_reader() -> None:
    lags = {
        "audit": {"seq": 20, "lag": 0, "held_by": 4711},
        "billing": {"seq": 17, "lag": 3, "held_by": None},
        "late": {"seq": 19, "lag": 1, "held_by": 4712},
    }
    text = states_text([one("a"), one("orders", consumers=lags, problems=["oh"])], now=1001.0)
    assert text.splitlines()[3:] == [
        "consumer: orders: audit has everything; read by process 4711",
        "consumer: orders: billing is 3 messages behind; without a reader",
        "consumer: orders: late is 1 message behind; read by process 4712",
        "problem: orders: oh",
    ]
    assert change_line(one(consumers=lags)) == change_line(one()), "a lag is no change of a state"


def test_a_manager_that_speaks_of_no_problems_and_consumers_has_none() -> None:
    before = one()
    del before["problems"], before["consumers"]
    assert states_text([before], now=1001.0).count("\n") == 2
    assert status_line("app", [before]) == "app: 1/1 ready"
    assert change_line(before).count("problem") == 0


def test_the_status_line_counts_what_is_ready_and_names_what_is_not() -> None:
    states = [one("a"), one("b"), one("c", "idle"), one("d", "waiting", "retry", time.time() + 14.4)]
    states.append(one("e", "failed"))
    assert status_line("app", states) == "app: 2/4 ready, 1 idle; d waiting, dials in 14s; e failed"
    assert status_line("app", [one("a")]) == "app: 1/1 ready"
    assert status_line("app", []) == "app: 0/0 ready"
    many = [one(f"c{n}", "failed") for n in range(5)]
    assert status_line("app", many).endswith("c0 failed; c1 failed; c2 failed; 2 more")


def test_a_change_is_one_line_whatever_the_server_said() -> None:
    change = one(state="waiting", action="use", reason={"code": "c", "text": "bye\nerror: fake"})
    assert change_line(change).endswith(" calls waiting: bye\\nerror: fake; opens when it is used\n")
    assert change_line(change).count("\n") == 1


def test_a_change_has_the_time_of_the_change_and_not_that_of_the_state() -> None:
    assert change_line(one(), at=5000.0)[:8] == time.strftime("%H:%M:%S", time.localtime(5000.0))
    assert change_line(one())[:8] == time.strftime("%H:%M:%S", time.localtime(1000.0))


def test_the_tables_stand_a_channel_that_never_connected() -> None:
    counts = dict.fromkeys(("received", "received_bytes", "sent", "sent_bytes", "connects", "readers"), 0)
    calls = {**counts, "state": "idle", "rtt_s": None, "history": {"first": 1, "last": 0}, "last_close": None}
    connections = {"active": 0, "total": 1}
    stats: Any = {"instance": "app", "pid": 1, "uptime_s": 61.0, "connections": connections, "tokens": {}}
    stats["channels"] = {"calls": calls}
    assert stats_text(stats).startswith("app: pid 1, up 1m1s, 0 of 1 connections open\n\nCHANNEL")
    stats["connections"]["unrouted"] = 1
    assert ", 0 of 1 connections open, 1 message unrouted\n" in stats_text(stats)
    empty = tokens_text({"t": {"state": "empty", "expires_in_s": None, "fetches": 0, "served": 0}})
    assert empty.splitlines()[1].split() == ["t", "empty", "-", "0", "0", "-"]


@pytest.mark.parametrize(("left", "words"), [(None, "HTTP 401"), (12.3, "HTTP 401; asked again in 12s")])
def test_a_token_that_failed_is_listed_with_the_reason(left: float | None, words: str) -> None:
    failed: Any = {"state": "failed", "expires_in_s": None, "fetches": 1, "served": 0, "failures": 1}
    text = tokens_text({"t": {**failed, "reason": "HTTP 401", "retry_in_s": left}})
    assert text.splitlines()[1].endswith(words)


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


def test_a_session_that_failed_points_to_doctor() -> None:
    failed = one(state="failed", action="start", reason={"code": "session:subscribe", "text": "refused"})
    assert next_step(failed) == "`wscli doctor calls` says more; `wscli start calls`"
