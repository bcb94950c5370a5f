"""The one client of the control socket: connect, ask, read the answer, or take the connection over as a stream.

A connection carries one request. It blocks; nothing here imports asyncio, so that a command starts at once.
"""

import os
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from wscli.control.paths import Instance
from wscli.control.protocol import (
    ANSWER_LIMIT,
    SPOKEN_BY_ALL,
    ProtocolError,
    check_version,
    decode,
    encode,
    greeting,
    result_of,
)
from wscli.control.selection import Selection, select
from wscli.errors import NoInstance, TimedOut

if TYPE_CHECKING:
    from wscli.control.messages import Block

__all__ = ["Client", "ManagerGone", "ask", "connect"]

_CHUNK = 1 << 18


class ManagerGone(NoInstance):
    """The manager closed the connection before it answered."""


class Client:
    """A connection to a manager; a context manager that closes it."""

    def __init__(self, instance: Instance, sock: socket.socket) -> None:
        self.instance = instance
        self.sock = sock
        self._buffer = bytearray()
        self._greeted = False
        self._any_version = False

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

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
            timeout: seconds to wait for the answer; None waits for as long as it takes.

        Raises:
            WscliError: what the manager answered, as the class of its exit code.
            ManagerGone: it hung up.
            TimedOut: no answer within ``timeout``.

        """
        self.start(verb, args, payload=payload)
        return result_of(self.answer(timeout=timeout))

    def start(self, verb: str, args: Mapping[str, Any] | None = None, *, payload: bytes = b"") -> bool:
        """Send a request without waiting for its answer; say whether the manager was there to take all of it."""
        self._any_version = verb in SPOKEN_BY_ALL
        return self._write(encode({**greeting(), "verb": verb, "args": dict(args or {})}) + payload)

    def send_block(self, header: "Block", payload: bytes) -> bool:
        """Send a header line and the bytes that it announces; say whether the manager was there to take all of it."""
        return self._write(encode(dict(header)) + payload)

    def answer(self, *, timeout: float | None = None) -> dict[str, Any]:
        """Read one answer line; the first is checked for the protocol's number."""
        self.sock.settimeout(None if timeout is None else max(timeout, 0.001))  # zero would mean another mode to it
        try:
            message = decode(self._read_line())
        except ProtocolError as error:
            raise ProtocolError(
                f"the answer cannot be read: {error.message}", "is it wscli that listens there? see `wscli ls`"
            ) from None
        if not self._greeted and not self._any_version:
            check_version(message, "manager")
        self._greeted = True
        return message

    def take_over(self) -> tuple[socket.socket, bytes]:
        """Give the socket, blocking, and the bytes of the stream that came with the answer; both are the caller's."""
        self.sock.settimeout(None)
        rest, self._buffer = bytes(self._buffer), bytearray()
        return self.sock, rest

    def _write(self, data: bytes) -> bool:
        self.sock.settimeout(None)
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False  # a manager that refuses hangs up early; its answer, which says why, is still to be read
        return True

    def _read_line(self) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > ANSWER_LIMIT:
                raise ProtocolError(f"the manager's answer is over {ANSWER_LIMIT >> 20} MiB")
            self._buffer += self._receive()
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line

    def _receive(self) -> bytes:
        try:
            data = self.sock.recv(_CHUNK)
        except (TimeoutError, BlockingIOError):  # the latter where no time was given at all
            raise TimedOut("the manager did not answer in time", "see `wscli logs`") from None
        except ConnectionResetError:
            data = b""
        if not data:
            raise ManagerGone(f"the manager of {self.instance.name!r} hung up", "see `wscli ls` and `wscli logs`")
        return data


def connect(selection: Selection, environ: Mapping[str, str] = os.environ) -> Client:
    """Connect to the instance that is meant.

    Raises:
        NoInstance: it is not running.
        UsageError: several are running and nothing says which.

    """
    return Client(*select(selection, environ))


def ask(selection: Selection, verb: str, args: Mapping[str, Any] | None = None, *, timeout: float | None = 30.0) -> Any:
    """Connect, ask once, hang up: all that most commands do."""
    with connect(selection) as client:
        return client.request(verb, args, timeout=timeout)
