"""The monitor: which source it listens to, what it tells, and that nothing is left when it is closed."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.daemon.virtual_time import VirtualTime
from tests.network.messages import link
from wscli.network import NetworkMonitor, polling, reachability, reachable
from wscli.network.netlink import AT_ONCE

UP = 0x10041


class Kernel:
    """A netlink socket whose words are scripted: datagrams, or errors."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.words: list[tuple[bytes, tuple[int, int]] | OSError] = []
        self.closed = False
        self.heard = asyncio.Event()

    async def say(self, *words: bytes | OSError, port: int = 0) -> None:
        """Say it, and wait until it was heard."""
        self.heard.clear()
        self.words += [word if isinstance(word, OSError) else (word, (port, 1)) for word in words]
        os.write(self._write, b"x" * len(words))
        await self.heard.wait()

    def fileno(self) -> int:
        return -1 if self.closed else self._read

    def recvfrom(self, size: int) -> tuple[bytes, tuple[int, int]]:
        if not self.words:
            raise BlockingIOError
        os.read(self._read, 1)
        word = self.words.pop(0)
        if not self.words:
            self.heard.set()
        if isinstance(word, OSError):
            raise word
        return word

    def close(self) -> None:
        self.closed = True
        os.close(self._read)
        os.close(self._write)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    yield made
    if not made.closed:
        made.close()


@contextmanager
def listening(open_socket: Callable[[], Any], **options: Any) -> Iterator[tuple[VirtualTime, list[float]]]:
    """Run a monitor, which leaves no timer behind."""
    time, told = VirtualTime(), []
    options |= {"clock": time, "schedule": time.schedule, "open_socket": open_socket}
    monitor = NetworkMonitor(lambda: told.append(time.now), **options)
    monitor.start()
    yield time, told
    monitor.close()
    assert time.pending == []
    monitor.close()


async def test_a_change_is_told_after_a_moment_of_quiet(kernel: Kernel) -> None:
    with listening(lambda: kernel) as (time, told):
        await kernel.say(link(4, UP), port=4711)
        await time.advance(10.0)
        assert told == [], "only the kernel is believed"
        await kernel.say(link(4, UP), link(4, 0x1))
        await time.advance(0.29)
        assert told == []
        await time.advance(0.02)
        assert told == [1010.3]
        await kernel.say(link(4, 0x1))  # nothing new
        await time.advance(10.0)
        assert len(told) == 1


async def test_lost_messages_are_a_change(kernel: Kernel) -> None:
    with listening(lambda: kernel) as (time, told):
        for count, word in enumerate(
            (link(4, UP), OSError(errno.ENOBUFS, "No buffer space available"), link(4, UP)), 1
        ):
            await kernel.say(word)
            await time.advance(10.0)
            assert len(told) == count, "what was known before is not known any more"


async def test_a_storm_is_taken_in_turns(kernel: Kernel) -> None:
    with listening(lambda: kernel) as (time, told):
        saying = asyncio.ensure_future(kernel.say(*[link(number, UP) for number in range(3 * AT_ONCE)]))
        left = [3 * AT_ONCE]
        for _ in range(20):
            await asyncio.sleep(0)
            left.append(len(kernel.words))
        await saying
        assert max(before - after for before, after in itertools.pairwise(left)) == AT_ONCE
        await time.advance(10.0)
        assert len(told) == 1


async def test_a_socket_that_breaks_is_replaced_by_polling(kernel: Kernel, caplog: pytest.LogCaptureFixture) -> None:
    with listening(lambda: kernel) as (time, told):
        await kernel.say(OSError(errno.EIO, "Input/output error"))
        assert "netlink is not available (Input/output error); polling the routes every 5s instead" in caplog.text
        assert kernel.closed
        await time.advance(1.0)
        assert len(told) == 1, "whatever the socket would have said"


def forbidden() -> Any:
    raise PermissionError(errno.EPERM, "Operation not permitted")


def absent() -> None:
    """Open nothing, as on macOS."""


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Where each address leads; the test changes it."""
    leads: dict[str, str | None] = {}
    monkeypatch.setattr(polling, "look_up", lambda addresses: {address: leads.get(address) for address in addresses})
    return leads


async def test_without_netlink_the_routes_are_polled(
    ways: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    with listening(forbidden, destinations=lambda: ["10.9.0.2"]) as (time, told):
        assert "netlink is not available (Operation not permitted)" in caplog.text
        await time.advance(60.0)
        for count, address in enumerate(("10.9.0.2", "198.51.100.1")):  # the latter by the default route
            assert len(told) == count
            ways[address] = "10.9.0.1"
            await time.advance(5.5)
        assert len(told) == 2


async def test_where_there_is_no_netlink_polling_is_the_way_and_no_warning(
    ways: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    with listening(absent) as (time, told):
        ways["2001:db8::1"] = "fd09::1"
        await time.advance(6.0)
        assert len(told) == 1
        assert caplog.text == ""


async def test_a_new_destination_is_no_change(ways: dict[str, str | None]) -> None:
    destinations = ["10.9.0.2"]
    with listening(absent, destinations=lambda: destinations) as (time, told):
        ways["10.9.0.3"] = "10.9.0.1"
        destinations.append("10.9.0.3")
        await time.advance(20.0)
        destinations.remove("10.9.0.2")
        await time.advance(20.0)
        assert told == []


async def test_close_forgets_what_was_about_to_be_told(kernel: Kernel) -> None:
    with listening(lambda: kernel) as (time, told):
        await kernel.say(link(4, UP))
    assert kernel.closed
    await time.advance(10.0)
    assert told == []


@pytest.mark.parametrize("address", ["127.0.0.1", "127.200.1.2", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_never_looked_up(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(reachability, "local_address")
    assert reachable(address)


@pytest.mark.parametrize("address", ["api.example.com", "", "10.0.0.1:443", "[::1]", "10.0.0.0/8", "\0"])
def test_what_is_no_address_is_taken_for_reachable(address: str) -> None:
    assert reachable(address)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        *((number, False) for number in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)),
        *((number, False) for number in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)),
        *((number, True) for number in (errno.EPERM, errno.EMFILE)),
    ],
)
def test_only_a_missing_way_is_unreachable(number: int, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing permission says nothing about the network."""

    def fails(*_: object) -> str:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(reachability, "local_address", fails)
    assert reachable("203.0.113.9") is expected
