"""An interactive session on a channel's shared connection: a line sends, messages print.

Two requests on the control socket: a ``tail`` that a thread prints, and a ``send`` that takes line after line.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from itertools import chain

from wscli.cli.printing import note
from wscli.cli.send.sender import Sender
from wscli.cli.stdin import NOT_ENTERED, HungUp, chunks
from wscli.control.client import connect_to
from wscli.control.output import Output
from wscli.control.selection import Selection
from wscli.control.sinks import CopySink, shown_text
from wscli.control.stream import Stream
from wscli.errors import WscliError, error_for

__all__ = ["CHUNK", "LineSplitter", "printed", "talk"]

CHUNK = 1 << 16
LINE_LIMIT = 1 << 20
"""Bytes of a line, which is one message."""
SEND_TIMEOUT = 10.0
_PATIENCE = 20.0
JOIN_DEADLINE = 1.0
"""Seconds for what was received to be printed; a stdout that takes nothing must not hold up the end."""


class LineSplitter:
    """Bytes in, whole lines out.

    The last line of a pipe or a file needs no newline. On a terminal it does: there it is a line that was given up.
    """

    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal
        self._rest = b""

    def split(self, data: bytes) -> list[bytes]:
        """Give the lines that ``data`` completes; no data is the end, and completes what is left.

        Raises:
            WscliError: a line is too long.
        """
        if not data:
            rest, self._rest = self._rest, b""
            if rest and self._terminal:
                note(NOT_ENTERED)
            return [rest] if rest and not self._terminal else []
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_LIMIT:
            raise WscliError(
                f"a line is over {LINE_LIMIT >> 20} MiB", "`wscli send CHANNEL --whole` sends large messages"
            )
        return lines


def printed() -> tuple[Output, CopySink]:
    """Give stdout, and what prints messages on it: exact bytes to a pipe, escaped on a terminal."""
    output = Output(sys.stdout.fileno())
    return output, CopySink(output, note, show=shown_text if os.isatty(sys.stdout.fileno()) else None)


class Printer:
    """Prints a stream in a thread of its own; ``ended`` becomes readable once it has ended, however it did."""

    def __init__(self, sock: socket.socket, rest: bytes, channel: str) -> None:
        self.ended, self._end = socket.socketpair()
        self.error: WscliError | None = None
        self._sock = sock
        output, self._sink = printed()
        self._stream = Stream(sock, self._sink, rest=rest, channel=channel, output=output)
        self._thread = threading.Thread(target=self._run, name="print", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            end = self._stream.run()
            if end.exit_code:
                self.error = error_for(end.exit_code, end.message, end.hint)
        except WscliError as error:
            self.error = error
        except OSError as error:
            self.error = WscliError((error.strerror or str(error)).lower())
        finally:
            self._end.close()

    def close(self) -> None:
        """End it; what it has taken is printed, if anybody still reads stdout."""
        self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(JOIN_DEADLINE)
        self.ended.close()
        self._sink.close()


def talk(selection: Selection, channel: str, linger: float) -> int:
    """Send each line of stdin, print each message, until stdin ends, and for ``linger`` seconds more.

    Raises:
        WscliError: the channel or the manager is gone, or a line could not be sent.
    """
    with connect_to(selection) as listening, connect_to(selection) as sending:
        listening.request("tail", {"channels": [channel], "follow": True}, timeout=_PATIENCE)
        sender = Sender(sending, {"channel": channel, "timeout": SEND_TIMEOUT}, SEND_TIMEOUT + _PATIENCE)
        sender.open()
        printer = Printer(*listening.take_over(), channel)
        try:
            ended_first = not _send_stdin(sender, printer) or select.select([printer.ended], [], [], linger)[0]
        finally:
            printer.close()
    if ended_first and printer.error is not None:
        raise printer.error
    return 0


def _send_stdin(sender: Sender, printer: Printer) -> bool:
    """Send until stdin ends; false if the printer ended before it."""
    lines = LineSplitter(terminal=sys.stdin.isatty())
    try:
        for data in chain(chunks(printer.ended.fileno()), (b"",)):
            if batch := lines.split(data):
                sender.block(b"".join(line + b"\n" for line in batch), "line")
    except HungUp:
        return False
    return True
