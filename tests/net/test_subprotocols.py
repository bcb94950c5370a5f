"""Subprotocols that keep a state for each connection."""

from __future__ import annotations

import pytest

from wscli.net.subprotocols import is_stateful


@pytest.mark.parametrize(
    "name",
    [
        "graphql-ws", "graphql-transport-ws", "mqtt", "mqttv3.1", "v10.stomp", "v11.stomp", "v12.stomp", "ocpp1.6",
        "ocpp2.0.1", "wamp", "wamp.2.json", "wamp.2.msgpack.batched",
    ],
)  # fmt: skip
def test_a_protocol_with_a_state_for_each_connection(name: str) -> None:
    assert is_stateful(name)


@pytest.mark.parametrize("name", ["", "chat.v2", "json", "soap", "MQTT", "v13.stomp", "graphql", "mqtt2"])
def test_any_other_protocol_has_none(name: str) -> None:
    assert not is_stateful(name)
