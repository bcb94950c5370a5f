"""What a reader by the name of a consumer says of itself: how far it is done, and that it says no more."""

import socket

from wscli.control.frames import ACK, CONFIRMED, END, End, FrameReader, read_end
from wscli.errors import OutcomeUnknown, WscliError, error_for

__all__ = ["PATIENCE", "Acks", "Confirmation"]

PATIENCE = 5.0
"""Seconds for the manager to confirm the last position."""


class Confirmation:
    """The manager's word that a position is kept, in what still comes of a stream; everything else is dropped."""

    def __init__(self, frames: FrameReader) -> None:
        self._frames = frames
        self._end: End | None = None

    def came(self) -> bool:
        """Whether it is among what was received by now."""
        while (frame := self._frames.take()) is not None:
            if frame.kind == CONFIRMED:
                return True
            if frame.kind == END:
                self._end = read_end(frame.body)
        return False

    def missing(self) -> WscliError:
        """Make the error for a stream that is over without it: what the manager said last, where it said anything."""
        if self._end is not None and self._end.exit_code:
            return error_for(*self._end)
        return OutcomeUnknown(
            "the position of the consumer was not confirmed",
            "its last messages may come again; see `wscli consumer ls`",
        )


class Acks:
    """Acknowledgements on a stream's socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, seq: int, gaps: int) -> None:
        """Say that everything is done up to a number, and so many gaps of this stream.

        A manager that is gone learns of it by the claim of whoever comes back.
        """
        try:
            self._sock.sendall(ACK.pack(seq, gaps))
        except (BrokenPipeError, ConnectionResetError):
            return

    def finish(self, frames: FrameReader) -> None:
        """Say no more, and wait until the position is kept.

        Raises:
            OutcomeUnknown: the manager was gone before it said so.
            WscliError: the position cannot be kept.

        """
        confirmation = Confirmation(frames)
        try:
            self._sock.settimeout(PATIENCE)
            self._sock.shutdown(socket.SHUT_WR)
            while not confirmation.came():
                count = self._sock.recv_into(frames.space())
                if not count:
                    raise confirmation.missing()
                frames.received(count)
        except OSError:
            raise confirmation.missing() from None
