"""The npm package ``graphql-ws``, which speaks graphql-transport-ws.

Its document: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from __future__ import annotations

from tests.servers.program import NodeProgram

__all__ = ["GraphqlWs"]


class GraphqlWs(NodeProgram):
    """Orders: ``publish={room, text}``, ``complete=room``, ``close=code``, ``tokens=[...]``, ``hold``, ``release``.

    A client logs in with ``{Authorization: Bearer TOKEN}``, where tokens are set. It tells of ``init``, ``subscribed``
    and ``unsubscribed``.
    """

    script = "graphql_ws.js"
    packages = ("ws", "graphql", "graphql-ws")

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"ws://127.0.0.1:{self.port}/graphql"
