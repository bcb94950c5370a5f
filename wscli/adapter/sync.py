"""The drop-in's synchronous twin, for programs that use ``websockets.sync.client``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from websockets.sync import client
from websockets.sync.client import ClientConnection

if TYPE_CHECKING:
    from websockets.sync.client import connect

    from wscli.adapter.reconnecting import reconnect

    __all__ = ["ClientConnection", "connect", "reconnect"]
elif hasattr(client, "reconnect"):
    from wscli.adapter.reconnecting import connect, reconnect

    __all__ = ["ClientConnection", "connect", "reconnect"]
else:
    from wscli.adapter.older import connect

    __all__ = ["ClientConnection", "connect"]
