"""What the fuzzers of sockets share: one conversation with a server."""

from __future__ import annotations

import socket

__all__ = ["converse"]


def converse(sock: socket.socket, data: bytes) -> bytes:
    """Send everything, hang up the sending side, and give the answer until the server hangs up."""
    answer = b""
    with sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while chunk := sock.recv(1 << 16):
                answer += chunk
        except (BrokenPipeError, ConnectionResetError):
            pass  # it hung up with some of this unread, as it may
    return answer
