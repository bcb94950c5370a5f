"""The npm package ``socket.io``, which speaks Socket.IO 5 over Engine.IO 4.

Its documents: https://socket.io/docs/v4/socket-io-protocol and https://socket.io/docs/v4/engine-io-protocol
"""

from __future__ import annotations

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
    arguments = ("500",)

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"ws://127.0.0.1:{self.port}/socket.io/"
