"""``clients:`` and ``strict:``: what is declared, and what is decided where nothing is."""

from __future__ import annotations

import pytest

from tests.config.conftest import Loads
from wscli.config.clients import ClientsPlan

SESSION = "session: {hello: [{send: hi}]}"


def clients(loads: Loads, endpoint: str = "", channel: str = "") -> ClientsPlan:
    text = f"endpoints: {{a: {{url: ws://h, {endpoint}}}}}\nchannels: {{c: {{endpoint: a, {channel}}}}}\n"
    return loads(text).channels["c"].clients


@pytest.mark.parametrize(
    ("endpoint", "channel", "offered", "own"),
    [
        ("", "", [], False),
        ("", "", ["chat", "mqtt"], True),
        ("subprotocols: [mqtt]", "", [], True),
        ("subprotocols: [mqtt]", "subprotocols: [chat]", [], False),
        ("", "subprotocols: [chat, wamp.2.json]", [], True),
        ("subprotocols: [mqtt]", "clients: shared", ["mqtt"], False),
        ("clients: own", "", [], True),
        ("clients: own", "clients: shared", ["mqtt"], False),
        ("clients: shared", "clients: own", [], True),
        (f"subprotocols: [mqtt], {SESSION}", "", ["mqtt"], False),
        (f"clients: own, {SESSION}", "", [], True),
    ],
)
def test_a_stateful_subprotocol_without_a_session_gives_each_client_an_upstream(
    loads: Loads, endpoint: str, channel: str, offered: list[str], own: bool
) -> None:
    assert clients(loads, endpoint, channel).is_own(offered) is own


@pytest.mark.parametrize(
    ("endpoint", "channel", "subprotocol", "strict"),
    [
        ("", "", None, False),
        ("", "", "chat", False),
        ("", "", "mqtt", True),
        ("strict: false", "", "mqtt", False),
        ("strict: true", "", None, True),
        ("strict: true", "strict: false", None, False),
        (SESSION, "", "mqtt", False),
    ],
)
def test_a_client_of_a_stateful_subprotocol_is_closed_with_the_shared_upstream(
    loads: Loads, endpoint: str, channel: str, subprotocol: str | None, strict: bool
) -> None:
    assert clients(loads, endpoint, channel).is_strict(subprotocol) is strict


@pytest.mark.parametrize(
    ("channel", "eager"),
    [
        ("clients: shared", True),
        ("clients: own", False),
        ("subprotocols: [mqtt]", False),
        ("clients: own, open: eager", True),
        ("clients: own, on_connect: [./hello]", True),
    ],
)
def test_a_channel_opens_at_the_start_unless_only_its_clients_could_speak_on_it(
    loads: Loads, channel: str, eager: bool
) -> None:
    text = f"endpoints: {{a: {{url: ws://h}}}}\nchannels: {{c: {{endpoint: a, {channel}}}}}\n"
    assert loads(text).channels["c"].eager is eager
