"""What is said of a message is so: servers die at each point of it, and tell afterwards which messages they got."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from tests.e2e.rawserver import Conn, RawServer
from tests.processes import Wscli
from tests.waiting import with_more_time
from wscli import Client
from wscli.errors import NotSent, OutcomeUnknown

CONFIG = """
version: 1
name: truth
endpoints:
  api: {{url: "{url}", compression: {compression}, connect: {{rate: 1000/s}}, keepalive: {{ping: 1h}}}}
backoff:
  default: {{initial: 1ms, max: 20ms}}
channels:
  feed: {{endpoint: api}}
"""
MESSAGES = 150
LINES = "".join(f"{number:06d}\n" for number in range(MESSAGES))
ALL = 1 << 40
LARGE = 300_000
"""Bytes, more than a socket takes at once, so that a server can die in the middle of a message."""


class Received:
    """The messages that a server got whole, by the number that each begins with."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()

    @contextmanager
    def reading(self, conn: Conn) -> Iterator[Callable[[int], None]]:
        """Give what reads so many bytes, or all there are; what was read until the end is noted."""
        data = bytearray()

        def read(budget: int) -> None:
            until = len(data) + budget
            while len(data) < until and (more := conn.sock.recv(min(65536, until - len(data)))):
                data.extend(more)

        try:
            yield read
        finally:
            self.numbers.update(int(payload[:6]) for payload in payloads(bytes(data)))


def payloads(data: bytes) -> Iterator[bytes]:
    """Unmask the messages of a client that are whole (RFC 6455, section 5.2)."""
    protocol = ServerProtocol(state=State.OPEN, max_size=None)
    protocol.receive_data(data)
    for frame in protocol.events_received():
        if isinstance(frame, Frame) and frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            yield frame.data


def notes(received: Received, first: int = ALL) -> Callable[[Conn], None]:
    """Make a server that notes what it gets; its first connection ends after so many bytes."""

    def script(conn: Conn) -> None:
        conn.upgrade()
        with received.reading(conn) as read:
            read(first if conn.number == 1 else ALL)

    return script


def resets(conn: Conn) -> None:
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.sock.close()


def hangs_up(conn: Conn) -> None:
    conn.sock.close()


def stops_sending(conn: Conn) -> None:
    conn.sock.shutdown(socket.SHUT_WR)


def says_goodbye(conn: Conn) -> None:
    conn.frame(struct.pack("!H", 1012), 8)


ENDS = (resets, hangs_up, stops_sending, says_goodbye)
"""The last two read on, as a server may."""


@contextmanager
def mortal(chance: random.Random, received: Received) -> Iterator[RawServer]:
    """A server whose every connection dies: before the upgrade, right behind it, or anywhere in the messages."""

    def script(conn: Conn) -> None:
        end: Callable[[Conn], None] = chance.choice(ENDS)
        budget = chance.choice((None, 0, 1, 200, LARGE // 2, LARGE + 100, 3 * LARGE))
        if budget is None:
            resets(conn)
            return
        conn.upgrade()
        with received.reading(conn) as read:
            read(budget)
            end(conn)
            read(ALL)

    with RawServer(script) as server:
        yield server


@pytest.mark.parametrize("compression", ["none", "deflate"])  # either adapter
def test_what_was_certainly_not_sent_never_arrives_and_whatever_arrives_was_not_denied(
    wscli: Wscli, compression: str
) -> None:
    chance, received = random.Random(4), Received()
    told: dict[type[BaseException] | None, list[int]] = {None: [], NotSent: [], OutcomeUnknown: []}
    with mortal(chance, received) as server, wscli.up(CONFIG.format(url=server.url, compression=compression)):
        client = Client("truth", environ={"WSCLI_RUNTIME_DIR": str(wscli.runtime)})
        for number in range(MESSAGES):
            message = f"{number:06d}" + "x" * chance.choice((0, 100, LARGE))
            try:
                client.send("feed", message, timeout=chance.choice((0.0, 0.02, 5.0)))
            except (NotSent, OutcomeUnknown) as error:
                told[type(error)].append(number)
            else:
                told[None].append(number)
    assert not received.numbers & set(told[NotSent])
    assert received.numbers <= {*told[None], *told[OutcomeUnknown]}
    assert told[None], "some are sent, or this says nothing"
    assert told[NotSent], "and some are not"


def test_a_message_of_unknown_outcome_may_arrive_and_the_one_behind_it_that_was_denied_does_not(wscli: Wscli) -> None:
    received, may_read = Received(), threading.Event()

    def script(conn: Conn) -> None:
        conn.upgrade()
        with received.reading(conn) as read:
            may_read.wait(60)
            read(ALL)

    with (
        RawServer(script, receive_buffer=65536) as server,
        wscli.up(CONFIG.format(url=server.url, compression="none")) as manager,
    ):
        manager.wait_for("feed")
        client = Client("truth", environ={"WSCLI_RUNTIME_DIR": str(wscli.runtime)})

        def is_unsure(seconds: float) -> bool:
            try:
                client.send("feed", "000001" + "x" * 15_000_000, timeout=seconds)
            except NotSent:  # the manager did not have all of it in that time
                return False
            except OutcomeUnknown:
                return True
            raise AssertionError("it fits into the buffers")

        try:
            assert with_more_time(is_unsure, 1.0)
            with pytest.raises(NotSent):
                client.send("feed", "000002", timeout=0.2)
        finally:
            may_read.set()
        client.send("feed", "000003", timeout=30.0)
        assert wscli("down").returncode == 0
    assert received.numbers == {1, 3}


def test_a_server_that_lives_gets_all_that_was_sent_and_no_more(wscli: Wscli) -> None:
    received = Received()
    with RawServer(notes(received)) as server, wscli.up(CONFIG.format(url=server.url, compression="none")):
        done = wscli("send", "feed", "--json", input=LINES)
        assert (done.returncode, done.stdout.count('"outcome":"sent"')) == (0, MESSAGES)
        assert wscli("down").returncode == 0
    assert received.numbers == set(range(MESSAGES))


@pytest.mark.parametrize("budget", [0, 3, 200, 5000])
def test_each_line_of_stdin_is_reported_with_its_true_outcome(wscli: Wscli, budget: int) -> None:
    """The server dies once: the lines before that are sent, the one concerned says what it was, and none is skipped."""
    received = Received()
    with RawServer(notes(received, budget)) as server, wscli.up(CONFIG.format(url=server.url, compression="none")):
        done = wscli("send", "feed", "--json", input=LINES)
        told = [line.split('"outcome":"')[1].split('"')[0] for line in done.stdout.splitlines()]
        assert wscli("down").returncode == 0
    if done.returncode == 0:
        assert told == ["sent"] * MESSAGES
    else:
        assert (told[-1], done.returncode) in (("rejected", 7), ("unknown", 9))
        assert set(told[:-1]) <= {"sent"}
        assert not {number for number in received.numbers if number >= len(told)}, "what follows was not tried"
        if told[-1] == "rejected":
            assert len(told) - 1 not in received.numbers
