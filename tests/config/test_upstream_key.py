"""The key of an upstream: equal for channels that would open equal connections, and for no others."""

from __future__ import annotations

import pytest

from tests.config.conftest import Loads
from wscli.config.dial_plan import UpstreamKey

API = """\
endpoints:
  api:
    url: wss://me:pw@h/ws/?v=1
    query: {token: "{token.t}"}
    headers: {X-Key: "${KEY}"}
    subprotocols: [chat]
tokens: {t: {value: x}, u: {value: y}}
channels:
"""


def keys(loads: Loads, channels: str) -> list[UpstreamKey]:
    """Load channels and give the key of each, its parameter being 42."""
    plan = loads(API + channels, {"KEY": "hunter2"})
    return [channel.upstream.key(dict.fromkeys(channel.params, "42")) for channel in plan.channels.values()]


def test_channels_that_dial_alike_have_one_key(loads: Loads) -> None:
    found = keys(
        loads,
        "  one: {endpoint: api, path: /rooms/42}\n"
        '  rooms/{id}: {endpoint: api, path: "/rooms/{id}"}\n'
        '  users/{name}: {endpoint: api, path: "/rooms/{name}", headers: {x-key: hunter2}, linger: 9s}\n'
        "  old: {endpoint: api, path: /rooms/42, keepalive: none, backoff: {initial: 9s}, verdicts: {4401: stop}}\n",
    )
    assert len(set(found)) == 1
    assert found[0].address == ("wss://me:pw@h/ws/rooms/42?v=1",)


@pytest.mark.parametrize(
    "change",
    [
        "path: /rooms/43",
        "path: /rooms/42, query: {lang: de}",
        'path: /rooms/42, query: {token: "{token.u}"}',
        'path: /rooms/42, query: {token: "{token.t:base64}"}',
        "path: /rooms/42, headers: {X-Key: other}",
        "path: /rooms/42, headers: {X-Other: hunter2}",
        "path: /rooms/42, subprotocols: [chat, v2]",
        "path: /rooms/42, max_message: 1KiB",
    ],
)
def test_channels_that_dial_differently_have_two_keys(loads: Loads, change: str) -> None:
    one, other = keys(loads, f"  one: {{endpoint: api, path: /rooms/42}}\n  other: {{endpoint: api, {change}}}\n")
    assert one != other


def test_a_template_has_one_key_for_each_parameter_that_it_can_dial_with(loads: Loads) -> None:
    plan = loads(
        "endpoints: {api: {url: ws://h/ws}}\n"
        'channels: {"rooms/{id}": {endpoint: api, path: "/{id}"}, "same/{id}": {endpoint: api}}\n'
    )
    rooms, same = (channel.upstream for channel in plan.channels.values())
    assert rooms.key({"id": "1"}) == rooms.key({"id": "1"}) != rooms.key({"id": "2"})
    assert rooms.key({"id": "1"}).address == ("ws://h/ws/1",)
    assert same.key({"id": "1"}) == same.key({"id": "2"})
    with pytest.raises(ValueError, match=r"'\.\.' cannot be the parameter 'id'"):
        rooms.key({"id": ".."})


def test_a_key_shows_no_secret(loads: Loads) -> None:
    (key,) = keys(loads, "  one: {endpoint: api, path: /rooms/42}\n")
    assert repr(key) == str(key) == f"{key}" == "UpstreamKey(***)"
