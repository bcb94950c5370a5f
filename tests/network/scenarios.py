"""Scenarios of a real network, each run by itself in a network namespace of its own: ``scenarios.py NAME``.

Inside are a loopback interface and what a scenario makes: a pair of virtual cables ``v0`` and ``v1``. Nothing leaves.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import NoReturn

from wscli.network import NetworkMonitor, reachable, source_address
from wscli.network.netlink import open_netlink

LAN = "10.9.0.2"
FAR = "203.0.113.9"
LAN6 = "fd09::2"
WITHIN = 20.0


def run(words: str, stdin: str = "") -> str:
    """Run one `ip` command, and give what it prints."""
    command = ["ip", *words.split()]
    return subprocess.run(command, input=stdin, check=True, timeout=30, stdout=subprocess.PIPE, text=True).stdout


def ip(*commands: str) -> None:
    """Run `ip` commands, one after the other."""
    for words in commands:
        run(words)


def lay_cable(*more: str) -> None:
    """Lay a cable, without the addresses that IPv6 would give its ends by and by; its far end is up."""
    ip("link set lo up", "link add v0 type veth peer name v1")
    ip("link set v0 addrgenmode none", "link set v1 addrgenmode none", "link set v1 up", *more)


class Changes:
    """Counts the changes that a monitor tells, and waits for them."""

    def __init__(self) -> None:
        self.count = 0
        self._came = asyncio.Event()

    def told(self) -> None:
        self.count += 1
        self._came.set()

    async def after(self, *words: str, then: Callable[[], bool] = lambda: True) -> None:
        """Change something, and be told in time; a further burst may follow before all of it is true."""
        self._came.clear()
        begun = time.monotonic()
        await asyncio.to_thread(ip, *words)
        await self.another(WITHIN - (time.monotonic() - begun))
        while not then():
            await self.another(WITHIN - (time.monotonic() - begun))

    async def another(self, within: float) -> None:
        """Be told within so many seconds."""
        try:
            await asyncio.wait_for(self._came.wait(), within)
        except TimeoutError:
            raise AssertionError(f"not told within {within:.3f} s") from None
        self._came.clear()

    async def settled(self) -> None:
        """Wait until the cable carries, and then until nothing is told for three times what ends a burst."""
        while "state UP" not in run("link show v0"):  # noqa: ASYNC110 - by linkwatch, once a second
            await asyncio.sleep(0.05)
        count = -1
        while count != self.count:
            count = self.count
            await asyncio.sleep(1.0)
        self._came.clear()

    async def quiet(self, seconds: float = 0.8) -> None:
        """See that nothing is told for a while longer than a burst lasts."""
        count = self.count
        await asyncio.sleep(seconds)
        assert self.count == count, "told of a change that was none"


@asynccontextmanager
async def listening(**options: object):
    changes = Changes()
    monitor = NetworkMonitor(changes.told, **options)
    monitor.start()
    try:
        yield changes
    finally:
        monitor.close()


async def empty() -> None:
    """A namespace without interfaces: nothing but loopback is within reach, even while it is down."""
    assert reachable("127.0.0.1")
    assert reachable("127.8.9.10")
    assert reachable("::1")
    assert reachable("::ffff:127.0.0.1")
    for address in (LAN, FAR, LAN6, "::ffff:203.0.113.9", "fe80::1%v0", "fe80::1%77"):
        assert not reachable(address), address


async def cable() -> None:
    """An address, a route, a peer that goes down and comes back, a route that goes."""
    lay_cable()
    async with listening() as changes:
        await changes.after("addr add 10.9.0.1/24 dev v0", "link set v0 up", then=lambda: reachable(LAN))
        assert (source_address(LAN), source_address(FAR)) == ("10.9.0.1", None)
        assert not reachable(FAR)
        assert not reachable(LAN6)
        assert reachable("10.9.0.1"), "an address of its own"

        await changes.after("route add default via 10.9.0.2", then=lambda: reachable(FAR))

        await changes.after("link set v1 down", then=lambda: not reachable(LAN))
        assert "default" in run("route"), "the kernel keeps the routes: only the flags tell"
        assert not reachable(FAR)
        assert reachable("127.0.0.1")

        await changes.after("link set v1 up", then=lambda: reachable(FAR))

        await changes.after("addr add 10.9.0.7/24 dev v0")  # a second one of the same network brings no route
        await changes.after("addr del 10.9.0.7/24 dev v0")

        await changes.after("route del default", then=lambda: not reachable(FAR))
        assert reachable(LAN)

        await changes.after("route add unreachable 10.9.0.2/32", then=lambda: not reachable(LAN))
        assert reachable("10.9.0.3")

        await changes.after("link del v0", then=lambda: not reachable("10.9.0.3"))


async def cable6() -> None:
    """The same by IPv6, with a link-local destination and an address that needs duplicate address detection."""
    lay_cable()
    async with listening() as changes:
        await changes.after(
            "addr add fd09::1/64 dev v0 nodad",
            "addr add fe80::9/64 dev v0 nodad",
            "link set v0 up",
            then=lambda: reachable(LAN6),
        )
        await changes.after("-6 route add default via fd09::2", then=lambda: reachable("2001:db8::9"))
        assert reachable("fe80::1%v0")
        await changes.after("link set v1 down", then=lambda: not reachable(LAN6))
        assert not reachable("2001:db8::9")
        assert not reachable("fe80::1%v0")

        await changes.after(
            "link add w0 type veth peer name w1",
            "link set w1 up",
            "link set w0 up",
            "addr add fe80::8/64 dev w0 nodad",
            then=lambda: reachable("fe80::1%w0"),
        )
        assert reachable(f"fe80::1%{socket.if_nametoindex('w0')}")
        assert not reachable("fe80::1%v0")
        assert not reachable(f"fe80::1%{socket.if_nametoindex('v0')}")

    ip("link del w0", "link set v1 up")
    async with listening() as changes:
        await changes.settled()
        assert reachable(LAN6)
        # Its route is there at once, and the address is ours once no other has it.
        await changes.after("addr add fd19::1/64 dev v0", then=lambda: "tentative" not in run("-6 addr show dev v0"))
        await changes.settled()


async def told_again() -> None:
    """What the kernel repeats without a change is not told."""
    lay_cable()
    async with listening() as changes:
        await changes.after("addr add 10.9.0.1/24 dev v0", "link set v0 up")
        await changes.settled()
        ip(
            "link set v0 mtu 1400",
            "link set v0 txqueuelen 50",
            "addr change 10.9.0.1/24 dev v0 valid_lft 900 preferred_lft 900",
        )
        await changes.quiet()


async def burst() -> None:
    """Fifty changes at once are told as one."""
    lay_cable("addr add 10.9.0.1/24 dev v0", "link set v0 up")
    async with listening() as changes:
        await changes.settled()
        told = changes.count
        batch = "".join(f"route add 10.77.{number}.0/24 via 10.9.0.2\n" for number in range(50))
        run("-batch -", batch)  # the loop stands still meanwhile, so that a slow machine makes no two bursts of it
        await changes.another(WITHIN)
        await changes.quiet()
        assert changes.count == told + 1


async def overflow() -> None:
    """Messages that were lost are a change as well."""
    lay_cable("addr add 10.9.0.1/24 dev v0", "link set v0 up")

    def small() -> socket.socket:
        sock = open_netlink()
        assert sock is not None
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        return sock

    async with listening(open_socket=small) as changes:
        await changes.settled()
        told = changes.count
        # The loop stands still meanwhile, and these routes say nothing that matters: only the overflow does.
        batch = "".join(f"route add multicast 239.{number // 250}.{number % 250}.1 dev v0\n" for number in range(500))
        run("-batch -", batch)
        await changes.another(WITHIN)
        await changes.quiet()
        assert changes.count == told + 1
        await changes.after("link set v1 down", then=lambda: not reachable(LAN))


async def polled() -> None:
    """Where netlink is forbidden, a look every few seconds notices a route that came or went."""

    def forbidden() -> NoReturn:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    lay_cable()
    async with listening(open_socket=forbidden, poll_interval=0.2, destinations=lambda: [LAN]) as changes:
        await changes.after("addr add 10.9.0.1/24 dev v0", "link set v0 up", then=lambda: reachable(LAN))
        await changes.after("route add default via 10.9.0.2", then=lambda: reachable(FAR))
        await changes.after("link set v1 down", then=lambda: not reachable(FAR))
        await changes.after("link set v1 up", then=lambda: reachable(FAR))
        await changes.after("addr del 10.9.0.1/24 dev v0", then=lambda: not reachable(FAR))
        await changes.settled()
        await changes.quiet()


async def no_packet() -> None:
    """A look-up sends nothing: the cable stays silent."""
    lay_cable("link set v0 arp off up", "addr add 10.9.0.1/24 dev v0", "route add default via 10.9.0.2")
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    wire.bind(("v1", 0x0800))
    wire.settimeout(0.3)
    for _ in range(20):
        assert reachable(LAN)
        assert reachable(FAR)
    try:
        wire.recv(65536)
    except TimeoutError:
        return
    finally:
        wire.close()
    raise AssertionError("an IPv4 packet was sent")


SCENARIOS: dict[str, Callable] = {
    scenario.__name__: scenario for scenario in (empty, cable, cable6, told_again, burst, overflow, polled, no_packet)
}

if __name__ == "__main__":
    asyncio.run(SCENARIOS[sys.argv[1]]())
