"""Servers that misbehave: each gives a state with its reason, none a busy loop, and the manager stays responsive."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import psutil
import pytest

from tests.e2e.rawserver import Conn, RawServer
from tests.processes import Manager, Process, Wscli
from tests.waiting import until

CONFIG = """
version: 1
name: bad
endpoints:
{endpoints}
backoff:
  default: {{initial: 400ms, max: 400ms, jitter: none}}
channels:
{channels}
"""
ENDPOINT = """
  {name}: {{url: "{url}", connect: {{timeout: 300ms, rate: 50/s}}, keepalive: {{ping: {ping}, timeout: 300ms}}}}
"""


def config(server: RawServer, ping: str) -> str:
    endpoint = ENDPOINT.format(name="api", url=server.url, ping=ping)
    return CONFIG.format(endpoints=endpoint, channels="  feed: {endpoint: api}")


Script = Callable[[Conn], object]


def upgraded(say: Script = lambda conn: None, *, stays: bool = True) -> Script:
    """Make a server that upgrades, says something, and stays or hangs up."""

    def script(conn: Conn) -> None:
        conn.upgrade()
        say(conn)
        if stays:
            conn.until_closed()

    return script


def answered(answer: bytes, *, stays: bool = False) -> Script:
    """Make a server that gives this answer to the upgrade, and hangs up or stays."""

    def script(conn: Conn) -> None:
        conn.read_request()
        conn.sock.sendall(answer)
        if stays:
            conn.until_closed()

    return script


def status(code: int, more: str = "") -> Script:
    return answered(f"HTTP/1.1 {code} No\r\n{more}Content-Length: 0\r\n\r\n".encode())


def never_ends_its_answer(conn: Conn) -> None:
    conn.read_request()
    for byte in b"HTTP/1.1 101 Switching Protocols\r\n" * 10:
        conn.sock.send(bytes([byte]))
        time.sleep(0.05)  # a server that drips


def resets(conn: Conn) -> None:
    conn.read_request()
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half(opcode: int) -> bytes:
    return struct.pack("!BBQ", opcode, 127, 900_000) + b"x" * 900_000


CIRCLE = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
ENDLESS = b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 10_000_000
BAD: dict[str, tuple[Script, str, str, str]] = {
    "large": (upgraded(lambda conn: conn.frame(b"x" * 2_000_000)), "waiting", "too_big:1009", "max_message (1MiB)"),
    "fragments": (
        upgraded(lambda conn: conn.sock.sendall(half(0x01) + half(0x80))),
        "waiting", "too_big:1009", "max_message (1MiB)",
    ),
    "not_utf8": (upgraded(lambda conn: conn.frame(b"\xff\xfe")), "failed", "violation:1007", "UTF-8"),
    "hangs_up": (upgraded(stays=False), "waiting", "close:1006", "without a close frame"),
    "goodbye": (upgraded(lambda conn: conn.close(1000, "bye \x1b[2J")), "waiting", "close:1000", "bye"),
    "never_answers": (Conn.until_closed, "waiting", "timeout", "no answer to the upgrade"),
    "drips": (never_ends_its_answer, "waiting", "timeout", "no answer to the upgrade"),
    "ssh": (answered(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", stays=True), "waiting", "upgrade", "with HTTP"),
    "endless": (answered(ENDLESS), "waiting", "upgrade", "65536 bytes"),
    "no_pong": (upgraded(), "waiting", "keepalive:1006", "no pong within 300ms"),
    "resets": (resets, "waiting", "upgrade", "reset the connection"),
    "masks": (upgraded(lambda conn: conn.sock.sendall(b"\x81\x82\0\0\0\0hi")), "failed", "violation:1002", "mask"),
    "circle": (answered(CIRCLE), "failed", "status:310", "more than 5 times"),
    "status_401": (status(401), "failed", "status:401", "HTTP 401"),
    "status_404": (status(404), "waiting", "status:404", "HTTP 404"),
    "status_429": (status(429, "Retry-After: 0\r\n"), "waiting", "status:429", "HTTP 429"),
    "negative": (status(503, "Retry-After: -1\r\n"), "waiting", "status:503", "HTTP 503"),
    "too_long": (status(503, f"Retry-After: {'9' * 30}\r\n"), "waiting", "status:503", "HTTP 503"),
}  # fmt: skip


class Bad(NamedTuple):
    """One manager, and a channel for each bad server, named after it."""

    wscli: Wscli
    manager: Manager
    servers: dict[str, RawServer]


@pytest.fixture(scope="module")
def bad() -> Iterator[Bad]:
    with ExitStack() as stack:
        servers = {name: stack.enter_context(RawServer(script)) for name, (script, *_) in BAD.items()}
        endpoints = "\n".join(ENDPOINT.format(name=name, url=one.url, ping="300ms") for name, one in servers.items())
        channels = "\n".join(f"  {name}: {{endpoint: {name}}}" for name in servers)
        wscli = stack.enter_context(Wscli())
        yield Bad(wscli, stack.enter_context(wscli.up(CONFIG.format(endpoints=endpoints, channels=channels))), servers)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_server_is_a_state_with_its_reason(bad: Bad, name: str) -> None:
    _, state, code, words = BAD[name]
    bad.manager.wait_for(name, state=state)

    def shown() -> dict[str, Any] | None:
        now: dict[str, Any] = bad.wscli.json("status", name, "--json")
        return now if (now["state"], now["reason"]["code"]) == (state, code) else None

    one = until(shown, 60)  # it dials again, and a dial that takes long on a busy machine has a reason of its own
    assert one is not None
    assert words in one["reason"]["text"]
    assert one["next"]["action"] == "retry"
    assert "\x1b" not in bad.wscli("status", name).stdout


def test_bad_servers_cause_no_busy_loop_and_no_early_dial(bad: Bad) -> None:
    for name, (_, state, *_) in BAD.items():
        if state == "failed":
            bad.manager.wait_for(name, state=state)
    process = psutil.Process(bad.manager.pid)
    cost, began = sum(process.cpu_times()[:2]), time.monotonic()
    before = bad.manager.stats()["channels"]
    time.sleep(1.0)  # the time in which it must do next to nothing
    after = bad.manager.stats()["channels"]
    lasted, cost = time.monotonic() - began, sum(process.cpu_times()[:2]) - cost
    assert cost < 0.5 * lasted
    assert process.memory_info().rss < 200 << 20
    for name, (_, state, *_) in BAD.items():
        dials = after[name]["dials"] - before[name]["dials"]
        assert dials <= (1 if state == "failed" else lasted / 0.4 + 1), name  # a failed one is looked at again


@contextmanager
def deaf(wscli: Wscli, ping: str) -> Iterator[tuple[RawServer, Manager]]:
    """A manager on a server that accepts a connection and reads nothing."""

    def accept(conn: Conn) -> None:
        conn.upgrade()
        server.stopping.wait(60)

    with RawServer(accept, receive_buffer=4096) as server, wscli.up(config(server, ping)) as manager:
        manager.wait_for("feed")
        yield server, manager


def send_more_than_fits(wscli: Wscli, timeout: str) -> Process:
    """Start a send that fills every buffer on the way to the server."""
    sender = wscli.start("send", "feed", "--whole", "--timeout", timeout, stdin=True)
    assert sender.popen.stdin is not None
    sender.popen.stdin.write(b"x" * 15_000_000)
    sender.popen.stdin.close()
    return sender


def test_a_deaf_server_is_noticed_while_a_sender_is_blocked(wscli: Wscli) -> None:
    with deaf(wscli, ping="1s") as (server, manager):
        blocked = send_more_than_fits(wscli, timeout="10m")
        while blocked.popen.poll() is None:
            assert wscli("stats").returncode == 0
        assert blocked.wait() == 9
        assert "channel 'feed': the connection ended while the message was being sent" in blocked.stderr
        assert "hint: " in blocked.stderr
        server.until(lambda: len(server.dials) >= 2)
        assert manager.stats()["channels"]["feed"]["last_close"]["by"] == "us"


def test_a_message_whose_turn_never_came_was_certainly_not_sent(wscli: Wscli) -> None:
    with deaf(wscli, ping="1h"):
        first = send_more_than_fits(wscli, timeout="2s")
        # until the first has filled every buffer on the way
        words, send = "did not read the messages before it", ("send", "feed", "second", "--timeout", "500ms")
        second = until(lambda: words in (done := wscli(*send)).stderr and done, 60)
        assert second.returncode == 7, second.stderr
        assert first.wait() == 9, first.stderr
