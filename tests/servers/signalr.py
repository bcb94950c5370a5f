"""``aiosignalr``, a server of ASP.NET Core SignalR's protocol, which its authors try against the original.

Its document: https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.processes import Process
from tests.servers.environment import python_of_servers
from tests.servers.program import HERE, HttpProgram

__all__ = ["SignalR"]


class SignalR(HttpProgram):
    """A hub with ``join`` and ``leave`` of a room and ``echo``; it refuses the room ``secret``.

    A client logs in with ``?access_token=``, where tokens are set. Orders: ``publish={room, text}``, ``tokens=[...]``.
    """

    def command(self) -> Sequence[str]:
        return [str(python_of_servers()), str(HERE / "signalr_app.py"), str(self.port)]

    def listening(self, process: Process) -> int:
        return int(process.out[0].removeprefix("port ")) if process.out else 0

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"ws://127.0.0.1:{self.port}/hub"
