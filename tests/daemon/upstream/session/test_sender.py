"""Messages are rendered as they are written, the session's before those of programs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.daemon.upstream.session.conftest import Parts, Text
from wscli.daemon.upstream.session.sender import SessionSender
from wscli.errors import NotSent, OutcomeUnknown


class Rendered(NamedTuple):
    payload: bytes | None
    binary: bool = False
    actions: tuple[str, ...] = ()
    problem: str = ""


class Numbering:
    """A session whose messages are texts, and which numbers them as they are let out."""

    def __init__(self) -> None:
        self.count = 0
        self.wait = 0.0

    def wait_to_send(self, message: str) -> float:
        return self.wait

    def let_out(self, message: str) -> Rendered:
        self.count += 1
        if message == "unfit":
            return Rendered(None, actions=("failed",), problem="'{var.x}' has no value")
        return Rendered(f"{self.count} {message}".encode(), binary=message == "raw", actions=(f"out {message}",))


class Bench:
    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.link = parts.link
        self.session = Numbering()
        self.done: list[Any] = []
        self.sender = SessionSender(
            self.session, parts.services, self.done.extend, lambda message: self.done.append(f"not {message}")
        )

    def send(self, message: str, timeout: float | None = 5.0) -> asyncio.Task[int]:
        return asyncio.ensure_future(self.sender.send(message, timeout=timeout))

    @property
    def sent(self) -> list[str]:
        return [payload.decode() for payload, _ in self.link.sent]


@pytest.fixture
def b(parts: Parts) -> Iterator[Bench]:
    bench = Bench(parts)
    yield bench
    bench.sender.end()


async def test_a_message_is_written_in_the_same_turn_where_nothing_waits(b: Bench) -> None:
    b.sender.open(b.link)
    b.sender.add(Text("a"))
    b.sender.add(Text("raw"))
    assert b.link.sent == [(b"1 a", False), (b"2 raw", True)]
    assert b.done == ["out a", "out raw"]


async def test_what_was_added_before_the_connection_is_open_is_written_then(b: Bench) -> None:
    b.sender.add(Text("a"))
    waiting = b.send("p")
    await b.parts.time.settle()
    assert b.session.count == 0, "nothing is rendered before it can be written"
    b.sender.open(b.link)
    assert await waiting == len(b"2 p")
    assert b.sent == ["1 a", "2 p"]


async def test_the_sessions_messages_go_before_those_of_programs_and_its_beats_first(b: Bench) -> None:
    b.sender.open(b.link)
    b.session.wait = 3.0
    programs = [b.send("p"), b.send("q")]
    await b.parts.time.settle()
    b.sender.add(Text("a"))
    b.sender.add(Text("beat", urgent=True))
    b.sender.add(Text("pong", urgent=True))
    b.sender.add(Text("b"))
    assert b.sent == []
    b.session.wait = 0.0
    await b.parts.time.advance(3.0)
    assert b.sent == ["1 beat", "2 pong", "3 a", "4 b", "5 p", "6 q"]
    assert [await one for one in programs] == [3, 3]


async def test_while_the_kernel_takes_nothing_the_next_message_is_not_rendered(b: Bench) -> None:
    b.sender.open(b.link)
    b.link.blocked = asyncio.Event()
    waiting = b.send("p")
    b.sender.add(Text("a"))
    await b.parts.time.settle()
    assert (b.sent, b.session.count) == ([], 0)
    blocked, b.link.blocked = b.link.blocked, None
    blocked.set()
    await waiting
    await b.parts.time.settle()
    assert b.sent == ["1 a", "2 p"]


async def test_a_message_that_cannot_be_rendered_holds_up_no_other(b: Bench) -> None:
    b.sender.open(b.link)
    b.sender.add(Text("unfit"))
    b.sender.add(Text("a"))
    assert b.done == ["failed", "out a"]
    with pytest.raises(NotSent, match=r"'\{var.x\}' has no value"):
        await b.send("unfit")
    assert await b.send("p") == 3
    assert b.done == ["failed", "out a", "failed", "out p"]


async def test_a_program_that_gives_up_waiting_frees_its_place(b: Bench) -> None:
    b.sender.open(b.link)
    b.session.wait = 60.0
    with pytest.raises(NotSent, match=r"'limits\.send' of the session, took longer than 10ms"):
        await b.send("p", timeout=0.01)
    given_up = b.send("q")
    await b.parts.time.settle()
    given_up.cancel()
    await asyncio.wait((given_up,))
    b.session.wait = 0.0
    b.sender.let_out()
    assert await b.send("r") == 3
    assert b.sent == ["1 r"]


async def test_a_program_that_is_cancelled_as_its_turn_comes_holds_up_nobody_after_it(b: Bench) -> None:
    b.sender.open(b.link)
    b.session.wait = 60.0
    given_up, next_one = b.send("p"), b.send("q")
    await b.parts.time.settle()
    b.session.wait = 0.0
    b.sender.let_out()
    given_up.cancel()
    assert await next_one == 3
    assert b.sent == ["1 q"]


async def test_what_waits_at_the_end_is_certainly_not_sent(b: Bench) -> None:
    b.sender.open(b.link)
    b.session.wait = 60.0
    waiting = b.send("p")
    b.sender.add(Text("a"))
    await b.parts.time.settle()
    b.sender.end()
    with pytest.raises(NotSent, match="the connection ended"):
        await waiting
    with pytest.raises(NotSent, match="the connection ended"):
        await b.send("q", timeout=0.01)
    assert b.sent == []


async def test_a_write_that_fails_is_told_to_the_session_or_to_the_program(b: Bench) -> None:
    b.sender.open(b.link)
    b.link.fails[0] = OutcomeUnknown("the connection ended")
    with pytest.raises(OutcomeUnknown):
        await b.send("p")
    b.link.open = False
    b.sender.add(Text("a"))
    assert b.done[-1] == "not a"
    b.link.open = True
