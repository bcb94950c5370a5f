"""Runs the library's own tests of clients with the drop-in in the place of its ``connect``.

Each URL that they connect to is declared as a channel first, with what they pass: its TLS, headers, subprotocols, proxy
and address. Nothing may go direct but what the drop-in never takes: a socket of their own, and Unix sockets.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import unittest
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from unittest.mock import patch

from websockets.proxy import get_proxy
from websockets.uri import WebSocketURI

from tests.adapter.websockets_tests import utils
from tests.adapter.websockets_tests.asyncio import test_client as of_asyncio
from tests.adapter.websockets_tests.sync import test_client as of_sync
from tests.processes import Manager
from wscli import adapter
from wscli.adapter import reconnecting as twin
from wscli.errors import WscliError

__all__ = ["SUITES", "declaring", "names_of", "outcome"]

SUITES: dict[str, ModuleType] = {"asyncio": of_asyncio, "sync": of_sync}

_MOST_CONNECTIONS = 40
"""That a test may open."""
_TIMED = ("test_reconnect", "test_keepalive_is_enabled", "test_http_response_with_keep_alive")
_UNITS = (0.1, 0.4, 1.6)
"""Seconds: what these tests wait for must happen within two to five of it."""


class EndlessReconnection(BaseException):
    """The test would not end; no test takes it for an error of a connection."""


class Declarations:
    """The file of a manager, which gets a channel for each URL before that is connected to."""

    def __init__(self, manager: Manager, clients: str) -> None:
        self._manager = manager
        self._clients = clients
        self._endpoints: dict[str, dict[str, Any]] = {}
        self._left = _MOST_CONNECTIONS

    def declare(self, uri: WebSocketURI, url: str, options: dict[str, Any], headers: Any, proxy: Any) -> None:
        """Declare the channel of a URL and apply it; a file that is refused changes nothing, so that none has it."""
        self._left -= 1
        if self._left < 0:
            raise EndlessReconnection
        endpoint = {"url": url, "connect": {"rate": "1000/s"}, "compression": "none"}
        tls = {}
        if isinstance(options.get("ssl"), ssl.SSLContext):
            assert options["ssl"] is utils.CLIENT_CONTEXT
            tls["ca"] = str(utils.CERTIFICATE)
        if options.get("server_hostname"):
            tls["server_name"] = options["server_hostname"]
        if tls:
            endpoint["tls"] = tls
        if options.get("host") is not None:
            endpoint["connect_to"] = f"{options['host']}:{options['port']}"
        if headers:
            no_channel_has = ("Proxy-Authorization",)  # it has a user and password of its proxy instead
            endpoint["headers"] = {name: value for name, value in dict(headers).items() if name not in no_channel_has}
        endpoint["proxy"] = (get_proxy(uri) if proxy is True else proxy) or "none"
        if self._endpoints.get(url) == endpoint:
            return
        self._endpoints[url] = endpoint
        self._apply()

    def _apply(self) -> None:
        named = {f"c{number}": endpoint for number, endpoint in enumerate(self._endpoints.values())}
        clients = {} if self._clients == "unset" else {"clients": self._clients}
        channels = {name: {"endpoint": name, "open": "lazy", "linger": "0s", **clients} for name in named}
        self._manager.file.write_text(json.dumps({"version": 1, "endpoints": named, "channels": channels}))
        with contextlib.suppress(WscliError):
            self._manager.ask("reload")


@contextlib.contextmanager
def declaring(manager: Manager, clients: str) -> Iterator[None]:
    """Have the suites connect through this manager, to channels with these ``clients``."""
    declarations = Declarations(manager, clients)

    class connect(adapter.connect):  # noqa: N801
        async def open_tcp_connection(self) -> adapter.ClientConnection:
            kwargs = self.create_connection_kwargs
            if not (kwargs.get("unix") or kwargs.get("sock")):
                declarations.declare(self.ws_uri, self.uri, kwargs, self.additional_headers, self.proxy)
            return await super().open_tcp_connection()

    class reconnect(twin.reconnect):  # noqa: N801
        def open_socket(self, deadline: Any) -> Any:
            kwargs = self.open_socket_kwargs
            if not (kwargs.get("unix") or kwargs.get("sock")):
                options = {**kwargs, "ssl": self.ssl, "server_hostname": self.server_hostname}
                declarations.declare(self.ws_uri, self.uri, options, self.additional_headers, self.proxy)
            return super().open_socket(deadline)

    with (
        patch.object(of_asyncio, "connect", connect),
        patch.object(of_sync, "reconnect", reconnect),
        patch.object(of_sync, "connect", twin.connect),
        patch.object(twin, "reconnect", reconnect),
    ):
        yield


def names_of(suite: str) -> list[str]:
    """Give the names of a suite's tests, as ``Class.test``."""
    found = []
    for name, kind in vars(SUITES[suite]).items():
        if isinstance(kind, type) and issubclass(kind, unittest.TestCase) and kind.__module__ == SUITES[suite].__name__:
            found += [f"{name}.{test}" for test in unittest.TestLoader().getTestCaseNames(kind)]
    return found


def outcome(suite: str, name: str) -> tuple[str, str]:
    """Run a test; return ``passed``, ``failed`` or ``skipped``, and why.

    A test that depends on how quickly something happens gets more time, should it fail.
    """
    for unit in _UNITS if name.partition(".")[2] in _TIMED else _UNITS[:1]:
        with patch.object(SUITES[suite], "MS", unit):
            result = unittest.TestResult()
            unittest.TestLoader().loadTestsFromName(name, SUITES[suite]).run(result)
        if result.wasSuccessful():
            return ("skipped", result.skipped[0][1]) if result.skipped else ("passed", "")
    return "failed", (result.failures + result.errors)[0][1]
