"""The drop-in has the interface of the library: the same names, the same signatures, the same connection."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
import websockets.asyncio.client
import websockets.sync.client

import wscli.adapter
import wscli.adapter.sync

PAIRS = [
    pytest.param(wscli.adapter.connect, websockets.asyncio.client.connect, id="connect"),
    pytest.param(wscli.adapter.ClientConnection, websockets.asyncio.client.ClientConnection, id="ClientConnection"),
    pytest.param(wscli.adapter.sync.connect, websockets.sync.client.connect, id="sync connect"),
    pytest.param(
        wscli.adapter.sync.ClientConnection, websockets.sync.client.ClientConnection, id="sync ClientConnection"
    ),
]
RECONNECTS = hasattr(websockets.sync.client, "reconnect")
"""Whether this version of the library has `reconnect`, new in 17.1."""
if RECONNECTS:
    PAIRS.append(pytest.param(wscli.adapter.sync.reconnect, websockets.sync.client.reconnect, id="sync reconnect"))


PROTOCOLS = {"__aenter__", "__aexit__", "__await__", "__aiter__", "__enter__", "__exit__", "__iter__"}


def signatures(thing: Any) -> dict[str, Any]:
    """Give the public names of a class, and the dunders that make up its protocol, each with its signature."""
    found = {}
    for name in (name for name in dir(thing) if name in PROTOCOLS or not name.startswith("_")):
        member = inspect.getattr_static(thing, name)
        found[name] = str(inspect.signature(member)) if inspect.isroutine(member) else type(member).__name__
    return found


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_the_signature_and_every_public_name_are_the_librarys(ours: Any, theirs: Any) -> None:
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__name__ == theirs.__name__
    assert signatures(ours) == signatures(theirs)


def test_what_connect_gives_is_the_librarys_own_connection() -> None:
    assert wscli.adapter.ClientConnection is websockets.asyncio.client.ClientConnection
    assert wscli.adapter.sync.ClientConnection is websockets.sync.client.ClientConnection


def test_connect_is_what_programs_test_for() -> None:
    assert issubclass(wscli.adapter.connect, websockets.asyncio.client.connect)
    assert not RECONNECTS or issubclass(wscli.adapter.sync.reconnect, websockets.sync.client.reconnect)


def test_what_is_replaced_is_what_the_library_calls() -> None:
    """Were one of these renamed, every connection would go direct without a word."""
    theirs = websockets.asyncio.client.connect
    replaced = {"open_tcp_connection", "create_connection", "connect", "__await_impl__"} & vars(theirs).keys()
    assert len(replaced) == 2
    assert replaced <= vars(wscli.adapter.connect).keys()
    for own in ("factory", "create_connection_kwargs"), ("protocol_factory", "connection_kwargs"):
        assert len({hasattr(theirs("ws://example.com/"), name) for name in own}) == 1
    if RECONNECTS:
        twin = websockets.sync.client.reconnect
        replaced = {"open_socket", "enable_tls", "open_connection"}
        assert replaced <= vars(twin).keys() & vars(wscli.adapter.sync.reconnect).keys()
        assert replaced <= {*twin.connect.__code__.co_names, *twin.open_connection.__code__.co_names}


def test_bad_arguments_are_refused_as_the_library_refuses_them() -> None:
    for refused in (_open, _open_sync):
        with pytest.raises(websockets.exceptions.InvalidURI):
            refused("http://example.com/")
        with pytest.raises(ValueError, match="unsupported compression"):
            refused("ws://example.com/", compression="zip")
        with pytest.raises((ValueError, TypeError), match="incompatible with a ws:// URI"):  # the latter before 14
            refused("ws://example.com/", ssl=True)


def _open(url: str, **options: Any) -> None:
    async def connect() -> None:
        await wscli.adapter.connect(url, **options)

    asyncio.run(connect())


def _open_sync(url: str, **options: Any) -> None:
    with wscli.adapter.sync.connect(url, **options):
        pass
