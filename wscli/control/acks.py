"""What a reader by the name of a consumer says of itself: how far it is done, and that it says no more."""

import socket

from wscli.control.frames import ACK, CONFIRMED, END, FrameReader, read_end
from wscli.errors import OutcomeUnknown, error_for

__all__ = ["PATIENCE", "Acks"]

PATIENCE = 5.0
"""Seconds for the manager to confirm the last position."""


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
        """Say no more, and wait until the position is kept; what else still comes is dropped.

        Raises:
            OutcomeUnknown: the manager was gone before it said so.
            WscliError: the position cannot be kept.

        """
        self._sock.settimeout(PATIENCE)
        try:
            self._sock.shutdown(socket.SHUT_WR)
            while True:
                frame = frames.take()
                if frame is None:
                    count = self._sock.recv_into(frames.space())
                    if not count:
                        break
                    frames.received(count)
                elif frame.kind == CONFIRMED:
                    return
                elif frame.kind == END and (end := read_end(frame.body)).exit_code:
                    raise error_for(end.exit_code, end.message, end.hint)
        except OSError:
            pass  # said below
        raise OutcomeUnknown(
            "the position of the consumer was not confirmed",
            "its last messages may come again; see `wscli consumer ls`",
        )
