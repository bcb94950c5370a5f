"""The one client of the control socket: connect, ask, read the answer, or take the connection over as a stream.

A connection carries one request. It blocks; nothing here imports asyncio, so that a command starts at once.
"""

import contextlib
import os
import socket
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from wscli.control.paths import Instance
from wscli.control.protocol import SPOKEN_BY_ALL, AnswerReader, encode_line, request_line, result_of
from wscli.control.selection import PATIENCE, Selection, select
from wscli.control.text import state_text
from wscli.errors import NoInstance, TimedOut, WscliError

if TYPE_CHECKING:
    from wscli.control.messages import Status
    from wscli.control.requests import BlockLine, OutcomesLine

__all__ = [
    "ANSWER_GRACE", "STATES_DEADLINE", "ManagerConnection", "ManagerGone", "answer_timed_out", "ask", "connect_to",
    "deadline_after", "left_until", "manager_hung_up", "not_ready", "states_after_deadline",
]  # fmt: skip

ANSWER_GRACE = 0.5
"""Seconds beyond the deadline of a message for the manager to say what became of it."""

STATES_DEADLINE = 0.5
"""Seconds for the states that the error of another deadline quotes."""
_CHUNK = 1 << 18


class ManagerGone(NoInstance):
    """The manager closed the connection before it answered."""


def manager_hung_up(instance: Instance) -> ManagerGone:
    """Make the error for a manager that closed the connection."""
    hint = _with_file("`wscli ls` lists it if it runs; `wscli up` starts it", instance)
    return ManagerGone(f"the manager of {instance.name!r} hung up", hint)


def _with_file(hint: str, instance: Instance) -> str:
    """Name the file of an instance in a hint to start it: ``up`` alone may find another."""
    import re
    from shlex import quote  # here: it costs the thin client milliseconds

    return re.sub("`wscli up( -d)?`", lambda found: f"`wscli up -d -c {quote(instance.file)}`", hint)


def answer_timed_out() -> TimedOut:
    """Make the error for an answer that did not come in time."""
    return TimedOut("the manager did not answer in time", "`wscli ls` shows its pid, and whether it answers")


def deadline_after(timeout: float | None) -> float | None:
    """Give the time, by ``time.monotonic``, at which so many seconds have passed; None: never."""
    return None if timeout is None else time.monotonic() + timeout


def left_until(deadline: float | None) -> float | None:
    """Give the seconds until a time that ``deadline_after`` gave, at least 0."""
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)


class ManagerConnection:
    """A connection to a manager; a context manager that closes it."""

    def __init__(self, instance: Instance, sock: socket.socket) -> None:
        self.instance = instance
        self.sock = sock
        self._answers = AnswerReader()

    def __enter__(self) -> "ManagerConnection":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
        if isinstance(error, WscliError) and error.hint:
            error.hint = _with_file(error.hint, self.instance)

    def close(self) -> None:
        """Hang up."""
        self.sock.close()

    def request(
        self, verb: str, args: Mapping[str, Any] | None = None, *, payload: bytes = b"", timeout: float | None = None
    ) -> Any:
        """Ask, and give the result of the answer: the verb's type in ``messages``.

        Args:
            verb: what to do.
            args: its arguments.
            payload: raw bytes that follow the request line.
            timeout: seconds for all of it; None waits for as long as it takes.

        Raises:
            WscliError: what the manager answered, as the class of its exit code.
            ManagerGone: it hung up.
            TimedOut: no answer within ``timeout``.
        """
        deadline = deadline_after(timeout)
        self.start(verb, args, payload=payload, timeout=timeout)
        return result_of(self.answer(timeout=left_until(deadline)))

    def start(
        self, verb: str, args: Mapping[str, Any] | None = None, *, payload: bytes = b"", timeout: float | None = None
    ) -> bool:
        """Send a request without waiting for its answer; say whether the manager took all of it within the seconds."""
        self._answers.any_version = verb in SPOKEN_BY_ALL
        return self._write(request_line(verb, args) + payload, timeout)

    def send_line(
        self, line: "BlockLine | OutcomesLine", payload: bytes = b"", *, timeout: float | None = None
    ) -> bool:
        """Send a line and the bytes that it announces; say whether the manager took all of it within the seconds."""
        return self._write(encode_line(dict(line)) + payload, timeout)

    def answer(self, *, timeout: float | None = None) -> dict[str, Any]:
        """Read one answer line within ``timeout`` seconds; the first is checked for the protocol's number."""
        deadline = deadline_after(timeout)
        while (message := self._answers.next_answer()) is None:
            self._limit(left_until(deadline))
            try:
                data = self.sock.recv(_CHUNK)
            except TimeoutError:
                raise answer_timed_out() from None
            except ConnectionResetError:
                data = b""
            if not data:
                raise manager_hung_up(self.instance)
            self._answers.received(data)
        return message

    def take_over(self) -> tuple[socket.socket, bytes]:
        """Give the socket, blocking, and the bytes of the stream that came with the answer; both are the caller's."""
        self.sock.settimeout(None)
        return self.sock, self._answers.rest()

    def _write(self, data: bytes, timeout: float | None = None) -> bool:
        self._limit(timeout)
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            return False  # a manager that refuses hangs up early; its answer, which says why, is still to be read
        return True

    def _limit(self, timeout: float | None) -> None:
        self.sock.settimeout(None if timeout is None else max(timeout, 0.001))  # zero would mean another mode to it


def connect_to(
    selection: Selection, environ: Mapping[str, str] = os.environ, *, timeout: float | None = None
) -> ManagerConnection:
    """Connect to the instance that is meant, within ``timeout`` seconds or `PATIENCE`, whichever is shorter.

    Raises:
        NoInstance: it is not running.
        UsageError: several are running and nothing says which.
        TimedOut: it takes no connection in that time.
    """
    patience = PATIENCE if timeout is None else max(min(timeout, PATIENCE), 0.001)
    return ManagerConnection(*select(selection, environ, patience=patience))


def ask(selection: Selection, verb: str, args: Mapping[str, Any] | None = None, *, timeout: float | None = 30.0) -> Any:
    """Connect, ask once, hang up, all within ``timeout`` seconds: what most commands do."""
    deadline = deadline_after(timeout)
    with connect_to(selection, timeout=timeout) as client:
        return client.request(verb, args, timeout=left_until(deadline))


def states_after_deadline(selection: Selection, channels: Iterable[str]) -> "list[Status]":
    """Ask for the states that the error of a deadline quotes; none if the manager does not give them in time.

    Ask while the request that was too late is still open: it keeps a lazy channel in use.
    """
    with contextlib.suppress(WscliError, OSError):  # the deadline is the news
        states: list[Status] = ask(selection, "status", {"channels": list(channels)}, timeout=STATES_DEADLINE)[
            "channels"
        ]
        return states
    return []


def not_ready(selection: Selection, channels: Iterable[str]) -> str:
    """Describe the first channel that is not ready, for the error of a deadline: ``; news is waiting 4 s: ...``."""
    others = [one for one in states_after_deadline(selection, channels) if one["state"] != "ready"]
    return "".join(f"; {one['channel']} is {state_text(one)}" for one in others[:1])
