"""Acknowledgements of a consumer's reader, and the confirmation of the last one."""

import socket

from wscli.control.frames import ACK, CONFIRMED, END, End, FrameReader, read_end
from wscli.errors import OutcomeUnknown, WscliError, error_for

__all__ = ["PATIENCE", "Acks", "Confirmation"]

PATIENCE = 5.0
"""Seconds for the manager to confirm the last position."""


class Confirmation:
    """Looks for the manager's confirmation of a position in the rest of a stream, and drops the rest."""

    def __init__(self, frames: FrameReader) -> None:
        self._frames = frames
        self._end: End | None = None

    def received(self) -> bool:
        """Whether the confirmation has been received."""
        while (frame := self._frames.next_frame()) is not None:
            if frame.kind == CONFIRMED:
                return True
            if frame.kind == END:
                self._end = read_end(frame.body)
        return False

    def missing(self) -> WscliError:
        """Return the error for a stream that ended without it: the manager's own, if it sent one."""
        if self._end is not None and self._end.exit_code:
            return error_for(*self._end)
        return OutcomeUnknown(
            "the position of the consumer was not confirmed",
            "its last messages may be delivered again; see `wscli consumer ls`",
        )


class Acks:
    """Acknowledgements on a stream's socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, seq: int, gaps: int) -> None:
        """Acknowledge everything up to a number, and so many gaps of this stream.

        If the manager is gone, the next reader's claim tells it.
        """
        try:
            self._sock.sendall(ACK.pack(seq, gaps))
        except (BrokenPipeError, ConnectionResetError):
            return

    def finish(self, frames: FrameReader) -> None:
        """Close the sending side, and wait until the position is kept.

        Raises:
            OutcomeUnknown: the manager ended before it confirmed.
            WscliError: the position cannot be kept.

        """
        confirmation = Confirmation(frames)
        try:
            self._sock.settimeout(PATIENCE)
            self._sock.shutdown(socket.SHUT_WR)
            while not confirmation.received():
                count = self._sock.recv_into(frames.space())
                if not count:
                    raise confirmation.missing()
                frames.received(count)
        except OSError:
            raise confirmation.missing() from None
