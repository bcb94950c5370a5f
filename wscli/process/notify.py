"""Messages to a service manager: the protocol of sd_notify(3), and the watchdog of sd_watchdog_enabled(3).

A message is one datagram of ``NAME=value`` lines to the socket in NOTIFY_SOCKET. Errors of that socket are ignored.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass

from wscli.control.text import escape
from wscli.core.states import ChannelState
from wscli.daemon.registry.manager import Manager
from wscli.daemon.registry.observer import Observer
from wscli.errors import WscliError
from wscli.timing import Schedule, Timer, call_later

__all__ = ["Notifier", "ServiceManager", "channel_summary", "take_service_manager"]

SETTLE = 0.2
"""Seconds from a change to the status message, which covers all changes by then."""
RETRY = 0.1
"""Seconds until a message is retried after the socket was full."""
_USEC = re.compile("[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """The service manager of this process, as named in the environment."""

    address: bytes | None = None
    """Address of an AF_UNIX socket; an abstract one begins with NUL."""
    watchdog: float | None = None
    """Seconds without a message after which it ends this process."""


def take_service_manager(environ: MutableMapping[str, str]) -> ServiceManager:
    """Read the service manager from the environment, and remove its variables, which children must not use."""
    address = environ.pop("NOTIFY_SOCKET", "")
    limit, whose = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    if address[:1] not in ("/", "@"):  # such as vsock:, of another machine
        return ServiceManager()
    encoded = os.fsencode(address)
    watched = whose in ("", str(os.getpid())) and _USEC.fullmatch(limit)
    return ServiceManager(b"\0" + encoded[1:] if address[0] == "@" else encoded, int(limit) / 1e6 if watched else None)


class Notifier(Observer):
    """Sends a manager's state to its service manager, on the loop: the watchdog supervises the loop's turns."""

    def __init__(self, manager: Manager, service_manager: ServiceManager, *, schedule: Schedule = call_later) -> None:
        self._manager = manager
        self._service_manager = service_manager
        self._schedule = schedule
        self._socket: socket.socket | None = None
        if service_manager.address is not None:
            with contextlib.suppress(OSError):  # out of descriptors
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
        self._unsent: list[str] = []
        self._said = ""
        self._refused = ""
        """The failure of the last reload, for the status; empty where it succeeded."""
        self._is_ready = False
        """Whether READY=1 was sent, and STOPPING=1 was not."""
        self._timers: dict[Callable[[], None], Timer] = {}
        self._unsubscribe: Callable[[], None] = lambda: None

    def ready(self) -> None:
        """Send READY=1, and from now on the states of the channels as they change."""
        if self._socket is None:
            return
        self._is_ready = True
        self._tell(f"READY=1\n{self._status()}")
        self._unsubscribe = self._manager.changes.subscribe(lambda: self._later(SETTLE, self._tell_status))
        self._live()

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """Send RELOADING=1, and READY=1 with the outcome when the context closes."""
        if self._is_ready:
            since = time.monotonic_ns() // 1000  # CLOCK_MONOTONIC, needed by Type=notify-reload
            self._tell(f"RELOADING=1\nMONOTONIC_USEC={since}\nSTATUS=reading the file again")
        self._refused = ""
        try:
            yield
        except WscliError as error:
            first = str(error).partition("\n")[0]
            self._refused = f"; not reloaded: {escape(first)}"
            raise
        finally:
            if self._is_ready:
                self._tell(f"READY=1\n{self._status()}")

    def stopping(self) -> None:
        """Send STOPPING=1."""
        self._is_ready = False
        self._tell("STOPPING=1\nSTATUS=closing the connections")

    def close(self) -> None:
        """Stop sending."""
        self._unsubscribe()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _status(self) -> str:
        self._said = channel_summary(self._manager) + self._refused
        return f"STATUS={self._said}"

    def _tell_status(self) -> None:
        before = self._said
        if not self._is_ready or (text := self._status()) == f"STATUS={before}":
            return
        if self._unsent or not self._send(text):  # it must not overtake an older status, which would then be the last
            self._said = before
            self._later(RETRY, self._tell_status)

    def _live(self) -> None:
        if self._service_manager.watchdog is not None:
            self._send("WATCHDOG=1")
            self._later(self._service_manager.watchdog / 2, self._live)

    def _tell(self, message: str) -> None:
        """Send a message that must arrive, after the unsent ones."""
        if self._socket is not None:
            self._unsent.append(message)
            self._send_unsent()

    def _send_unsent(self) -> None:
        while self._unsent:
            if not self._send(self._unsent[0]):
                self._later(RETRY, self._send_unsent)
                return
            del self._unsent[0]

    def _send(self, message: str) -> bool:
        """Send a message; False where the socket is full, so that it must be retried."""
        if self._socket is not None and self._service_manager.address is not None:
            try:
                self._socket.sendto(message.encode(errors="backslashreplace"), self._service_manager.address)
            except BlockingIOError:
                return False
            except OSError:  # the service manager is gone
                pass
        return True

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        """Call once after a delay, unless that call is already scheduled."""

        def due() -> None:
            del self._timers[call]
            call()

        if self._socket is not None and call not in self._timers:
            self._timers[call] = self._schedule(delay, due)


def channel_summary(manager: Manager) -> str:
    """Summarise the channels: ``3 of 4 channels ready, 1 failed, 2 idle``; idle ones are not among the 4."""
    states = Counter(channel.state for channel in manager.channels())
    idle, failed = states[ChannelState.IDLE], states[ChannelState.FAILED]
    total = states.total() - idle
    text = f"{states[ChannelState.READY]} of {total} channel{'' if total == 1 else 's'} ready"
    return text + (f", {failed} failed" if failed else "") + (f", {idle} idle" if idle else "")
