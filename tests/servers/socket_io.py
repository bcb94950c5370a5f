"""The npm package ``socket.io``, which speaks Socket.IO 5 over Engine.IO 4.

Its documents: https://socket.io/docs/v4/socket-io-protocol and https://socket.io/docs/v4/engine-io-protocol
"""

from __future__ import annotations

from pathlib import Path

from tests.servers.program import NodeProgram

__all__ = ["SocketIo"]


class SocketIo(NodeProgram):
    """Orders: ``publish={room, text}``, ``binary=text``, ``disconnect=bool``, ``drop``, ``tokens=[...]``,
    ``hold``, ``release``.

    A client logs in with ``{token}``, where tokens are set; ``join`` takes a room and an acknowledgement, and refuses
    ``secret``; ``echo`` acknowledges. It tells of ``auth``, ``joined``, ``refused``, ``left``, ``pong`` and
    ``disconnected``.
    """

    script = "socket_io.js"
    packages = ("socket.io",)

    def __init__(self, directory: Path, *, ping_timeout: int = 60_000) -> None:
        """It pings each half second; a client must answer within ``ping_timeout`` milliseconds."""
        super().__init__(directory)
        self.arguments = ("500", str(ping_timeout))

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"ws://127.0.0.1:{self.port}/socket.io/"
