"""Decides which kernel messages may change the reachability of a destination."""

from __future__ import annotations

from wscli.network.rtnetlink import ALIVE, AddressChange, Change, LinkChange, RouteChange, Trouble

__all__ = ["ChangeFilter"]

_RTN_UNICAST = 1
_RTN_REFUSING = (6, 7, 8, 9)  # blackhole, unreachable, prohibit, throw


class ChangeFilter:
    """Remembers links and addresses, because the kernel often repeats what has not changed.

    A wireless driver announces its interface at each scan, and a router advertisement repeats its addresses. The first
    message about a link or address counts as a change.
    """

    def __init__(self) -> None:
        self._links: dict[int, int] = {}
        self._addresses: set[tuple[int, bytes]] = set()

    def forget(self) -> None:
        """Forget everything, because messages were lost."""
        self._links.clear()
        self._addresses.clear()

    def matters(self, change: Change) -> bool:
        """Whether a change may matter to a destination."""
        match change:
            case LinkChange():
                return self._of_link(change)
            case AddressChange():
                return self._of_address(change)
            case RouteChange():
                # Local, broadcast and multicast routes change with an address, which has a message of its own.
                return not change.cached and (change.kind == _RTN_UNICAST or change.kind in _RTN_REFUSING)
            case Trouble(errno=errno):
                self.forget()
                return errno == 0

    def _of_link(self, change: LinkChange) -> bool:
        if change.gone:
            self._links.pop(change.interface, None)
            return True
        alive = change.flags & ALIVE
        before = self._links.get(change.interface)
        self._links[change.interface] = alive
        return before != alive

    def _of_address(self, change: AddressChange) -> bool:
        known = (change.interface, change.address)
        was_there = known in self._addresses
        if change.usable and not change.gone:
            self._addresses.add(known)
            return not was_there
        self._addresses.discard(known)
        return change.gone or was_there
