"""Subprotocols that keep a state for each connection."""

from __future__ import annotations

__all__ = ["is_stateful"]

_NAMES = frozenset(
    {
        "graphql-ws",  # subscriptions-transport-ws: a connection_init each, operations by the client's ids
        "graphql-transport-ws",  # the same, of the package graphql-ws
        "mqtt",  # MQTT 3.1.1 and 5, section 6: one client identifier and one CONNECT for each connection
        "mqttv3.1",
        "v10.stomp",  # STOMP 1.0 to 1.2: one CONNECT for each connection, subscriptions by the client's ids
        "v11.stomp",
        "v12.stomp",
    }
)
_FAMILIES = ("ocpp", "wamp")
"""OCPP-J, section 3: a charge point is its connection, with one call at a time. WAMP: a session is its connection."""


def is_stateful(subprotocol: str) -> bool:
    """Whether its server keeps a state for each connection, so that two clients cannot speak it on one.

    The names are those of IANA's WebSocket Subprotocol Name Registry, and of servers that are widely used.
    """
    return subprotocol in _NAMES or subprotocol.startswith(_FAMILIES)
