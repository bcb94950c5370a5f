"""What a service manager is told: the protocol of sd_notify(3), and the watchdog of sd_watchdog_enabled(3).

A message is one datagram of ``NAME=value`` lines to the socket that NOTIFY_SOCKET names. Without one nothing is said. A
message that cannot be sent harms nobody.
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

from wscli.control.escape import escape
from wscli.core.states import ChannelState
from wscli.daemon.registry.manager import Manager
from wscli.daemon.registry.observer import Observer
from wscli.errors import WscliError
from wscli.timing import Schedule, Timer, call_later

__all__ = ["Notifier", "Supervisor", "status_text", "take_supervisor"]

SETTLE = 0.2
"""Seconds from a change to the status that tells of it: what changes meanwhile is told at once."""
RETRY = 0.1
"""Seconds until a message is sent again that a full socket did not take."""
_USEC = re.compile("[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Who watches over this process, as the environment says."""

    address: bytes | None = None
    """Of an AF_UNIX socket; an abstract one begins with NUL."""
    watchdog: float | None = None
    """Seconds without a sign of life after which it ends us."""


def take_supervisor(environ: MutableMapping[str, str]) -> Supervisor:
    """Read the environment, and take out of it what is meant for this process and not for its children."""
    address = environ.pop("NOTIFY_SOCKET", "")
    limit, whose = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    if address[:1] not in ("/", "@"):  # such as vsock:, whose manager is that of another machine
        return Supervisor()
    encoded = os.fsencode(address)
    watched = whose in ("", str(os.getpid())) and _USEC.fullmatch(limit)
    return Supervisor(
        b"\0" + encoded[1:] if address[0] == "@" else encoded,
        int(limit) / 1e6 if watched else None,
    )


class Notifier(Observer):
    """Tells a supervisor how a manager fares. All of it is the loop's: its turns are what the watchdog watches."""

    def __init__(self, manager: Manager, supervisor: Supervisor, *, schedule: Schedule = call_later) -> None:
        self._manager = manager
        self._supervisor = supervisor
        self._schedule = schedule
        self._socket: socket.socket | None = None
        if supervisor.address is not None:
            with contextlib.suppress(OSError):  # no descriptor is left
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
        self._unsent: list[str] = []
        self._said = ""
        self._refused = ""
        """Why the last reload changed nothing, or nothing where it did."""
        self._is_ready = self._is_stopping = False
        self._timers: dict[Callable[[], None], Timer] = {}
        self._unsubscribe: Callable[[], None] = lambda: None

    def ready(self) -> None:
        """Say that the socket answers; from now on the states of the channels are told as they change."""
        if self._socket is None:
            return
        self._is_ready = True
        self._tell(f"READY=1\n{self._status()}")
        self._unsubscribe = self._manager.changes.subscribe(lambda: self._later(SETTLE, self._tell_status))
        self._live()

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """Say that a reload is under way for as long as the context is open, and how it went."""
        if self._is_ready and not self._is_stopping:
            since = time.monotonic_ns() // 1000  # CLOCK_MONOTONIC, in the message itself: Type=notify-reload needs both
            self._tell(f"RELOADING=1\nMONOTONIC_USEC={since}\nSTATUS=reading the file again")
        self._refused = ""
        try:
            yield
        except WscliError as error:
            first = str(error).partition("\n")[0]
            self._refused = f"; not reloaded: {escape(first)}"
            raise
        finally:
            if self._is_ready and not self._is_stopping:
                self._tell(f"READY=1\n{self._status()}")

    def stopping(self) -> None:
        """Say that the end began."""
        self._is_stopping = True
        self._tell("STOPPING=1\nSTATUS=closing the connections")

    def close(self) -> None:
        """Say no more."""
        self._unsubscribe()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _status(self) -> str:
        self._said = status_text(self._manager) + self._refused
        return f"STATUS={self._said}"

    def _tell_status(self) -> None:
        before = self._said
        if self._is_stopping or (text := self._status()) == f"STATUS={before}":
            return
        if self._unsent or not self._send(text):  # it overtakes nothing, or an older one would be the last
            self._said = before
            self._later(RETRY, self._tell_status)

    def _live(self) -> None:
        if self._supervisor.watchdog is not None:
            self._send("WATCHDOG=1")
            self._later(self._supervisor.watchdog / 2, self._live)

    def _tell(self, message: str) -> None:
        """Send what must not be lost, in order."""
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
        """Send; say no where the socket is full, so that a later try is of use."""
        if self._socket is not None and self._supervisor.address is not None:
            try:
                self._socket.sendto(message.encode(errors="backslashreplace"), self._supervisor.address)
            except BlockingIOError:
                return False
            except OSError:  # nobody listens there
                pass
        return True

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        """Call once after a delay, unless that is to come already."""

        def due() -> None:
            del self._timers[call]
            call()

        if self._socket is not None and call not in self._timers:
            self._timers[call] = self._schedule(delay, due)


def status_text(manager: Manager) -> str:
    """Say in one line how the channels are: ``3 of 4 channels ready, 1 failed, 2 idle``; the 4 are without the idle."""
    states = Counter(channel.state for channel in manager.channels())
    idle, failed = states[ChannelState.IDLE], states[ChannelState.FAILED]
    total = states.total() - idle
    text = f"{states[ChannelState.READY]} of {total} channel{'' if total == 1 else 's'} ready"
    return text + (f", {failed} failed" if failed else "") + (f", {idle} idle" if idle else "")
