"""Where the dials of an upstream lead, and whether a route leads there.

Routes are judged by the addresses that the last dial found. Once none of them is within reach, the name is resolved
again: after the backoff's wait, then every ``LOOK_AGAIN`` seconds, at each change of the network and at each use. A
VPN, NAT64 or a container that was started again gives the name another address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from wscli.core.events import NetworkLost, NetworkReturned
from wscli.tasks import Tasks
from wscli.timing import OneShot, Schedule
from wscli.transport.connection import DialTimeline

__all__ = ["Destination", "Lookups"]

LOOK_AGAIN = 30.0
"""Seconds between two look-ups of a name whose addresses are out of reach."""


class Lookups:
    """Resolves names for all upstreams: one look-up of a name at a time, however many ask."""

    def __init__(self, resolve: Callable[[str], Awaitable[tuple[str, ...]]], tasks: Tasks) -> None:
        """``resolve`` gives the IP addresses of a name, none where it cannot be resolved."""
        self._resolve = resolve
        self._tasks = tasks
        self._asking: dict[str, list[Callable[[tuple[str, ...]], None]]] = {}

    def ask(self, host: str, answer: Callable[[tuple[str, ...]], None]) -> None:
        """Call ``answer`` with the addresses of a name."""
        asking = self._asking.setdefault(host, [])
        asking.append(answer)
        if len(asking) == 1:
            self._tasks.spawn(self._look_up(host), name="look-up")

    async def _look_up(self, host: str) -> None:
        try:
            addresses = await self._resolve(host)
        finally:
            answers = self._asking.pop(host)
        for answer in answers:
            answer(addresses)


class Destination:
    """The server of one upstream, or its proxy: its name and its addresses."""

    __slots__ = ("_host", "_lookups", "_on_route", "_reachable", "_route", "_timer", "_watched", "addresses")

    def __init__(
        self, reachable: Callable[[str], bool], lookups: Lookups, schedule: Schedule, on_route: Callable[[], None]
    ) -> None:
        """``reachable`` says whether a route leads to an address; ``on_route`` is called once one does again."""
        self.addresses: tuple[str, ...] = ()
        """The IP addresses as they were found last; none: unknown."""
        self._host = ""
        self._reachable = reachable
        self._route: tuple[str, str] | None = None
        self._lookups = lookups
        self._on_route = on_route
        self._timer = OneShot(schedule)
        self._watched = False

    def learn(self, timeline: DialTimeline) -> None:
        """Keep what a dial found."""
        if timeline.addresses:
            self._host, self.addresses = timeline.host, timeline.addresses
        self._route = timeline.route or self._route

    def forget(self) -> None:
        """Judge no route before the next dial, which resolves the name."""
        self.addresses = ()

    def is_reachable(self, reachable: Callable[[str], bool] | None = None) -> bool:
        """Whether a route leads to one of the addresses; yes while they are unknown."""
        return not self.addresses or any(map(reachable or self._reachable, self.addresses))

    def judge(
        self, reachable: Callable[[str], bool], source: Callable[[str], str | None]
    ) -> NetworkReturned | NetworkLost:
        """Give what a change of the network means to the upstream.

        ``source`` gives the address of ours at which a route begins: a connection does not outlive its own.
        """
        if not self.is_reachable(reachable):
            return NetworkLost()
        return NetworkReturned(moved=self._route is not None and source(self._route[1]) != self._route[0])

    def watch(self, delay: float) -> None:
        """Look for a route in ``delay`` seconds, and again and again, until ``unwatch``."""
        self._watched = True
        self._timer.start(delay, self.look_again)

    def unwatch(self) -> None:
        """Look for no route any more."""
        self._watched = False
        self._timer.cancel()

    def look_again(self) -> None:
        """Resolve the name now, if a route is looked for."""
        if self._watched:
            self._timer.cancel()
            self._lookups.ask(self._host, self._found)

    def _found(self, addresses: tuple[str, ...]) -> None:
        if not self._watched:
            return
        self.addresses = addresses or self.addresses
        if self.is_reachable():
            self._on_route()
        else:
            self._timer.start(LOOK_AGAIN, self.look_again)
