"""The library's own tests of clients pass with the drop-in, through a manager, but for those of a table."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapter.suite import SUITES, declaring, names_of, outcome
from tests.processes import Manager, Wscli

_COMPRESSION = "the connection to the manager is not compressed; the manager's own to the server is"
_TLS = "TLS is the manager's, so that the connection of the program has no TLS object"
_FOLLOWED = "the manager follows a redirect within the origin, and the connection keeps the first URL"
_LIMIT = "the manager gives up after 5 redirects, and the text of the SecurityError says so"
_ARGUMENTS = "arguments for TLS and proxies mean nothing, and are not checked"
_WAITED = "what is waited for is the manager's answer, and the text of the TimeoutError says so"
_AUTHORITY = "the certificate of a proxy is checked with the authorities of the manager's system"
_SOCKS = "an error of a SOCKS proxy has the manager's words, and holds no error of python-socks"
_AGENT = "the manager gives the proxy a User-Agent of its own"

PROXIES = {
    "SocksProxyClientTests.test_authenticated_socks_proxy_error": _SOCKS,
    "SocksProxyClientTests.test_socks_proxy_connection_failure": _SOCKS,
    "HTTPProxyClientTests.test_http_proxy_override_user_agent": _AGENT,
    "HTTPProxyClientTests.test_http_proxy_remove_user_agent": _AGENT,
    "HTTPProxyClientTests.test_https_proxy": _AUTHORITY,
    "HTTPProxyClientTests.test_https_proxy_invalid_server_certificate": _AUTHORITY,
    "HTTPProxyClientTests.test_https_proxy_server_hostname": _AUTHORITY,
    "HTTPProxyClientTests.test_secure_https_proxy": _AUTHORITY,
    "HTTPProxyClientTests.test_secure_http_proxy": _TLS,
}
DIFFERENT = {
    "asyncio": {
        **PROXIES,
        "ClientTests.test_compression_is_enabled": _COMPRESSION,
        "ClientTests.test_redirect": _FOLLOWED,
        "ClientTests.test_redirect_with_explicit_host_port": _FOLLOWED,
        "ClientTests.test_redirect_limit": _LIMIT,
        "SecureClientTests.test_connection": _TLS,
        "SecureClientTests.test_set_server_hostname_explicitly": _TLS,
        "SecureClientTests.test_set_server_hostname_implicitly": _TLS,
        "ClientUsageErrorsTests.test_https_proxy_without_ssl": _ARGUMENTS,
        "ClientUsageErrorsTests.test_proxy_ssl_without_https_proxy": _ARGUMENTS,
        "ClientUsageErrorsTests.test_secure_uri_without_ssl": _ARGUMENTS,
        "ClientUsageErrorsTests.test_unsupported_proxy": _ARGUMENTS,
    },
    "sync": {
        **PROXIES,
        "ClientTests.test_compression_is_enabled": _COMPRESSION,
        "SecureClientTests.test_connection": _TLS,
        "SocksProxyClientTests.test_socks_proxy_connection_timeout": _WAITED,
        "HTTPProxyClientTests.test_http_proxy_connection_timeout": _WAITED,
        "ClientUsageErrorsTests.test_proxy_ssl_without_https_proxy": _ARGUMENTS,
        "ClientUsageErrorsTests.test_unsupported_proxy": _ARGUMENTS,
    },
}
"""The tests that do not pass, with their reason, as docs/adapter.md has them."""

ALL = [(suite, name) for suite in SUITES for name in names_of(suite)]


@pytest.fixture(scope="module")
def manager() -> Iterator[tuple[Manager, Wscli]]:
    text = 'version: 1\nendpoints: {e: {url: "ws://127.0.0.1:9"}}\nchannels: {c: {endpoint: e, open: lazy}}'
    with Wscli() as command, command.up(text) as running:
        yield running, command


@pytest.fixture(params=["shared", "own"])
def clients(
    request: pytest.FixtureRequest, manager: tuple[Manager, Wscli], monkeypatch: pytest.MonkeyPatch, patient: None
) -> Iterator[str]:
    """Each kind of client that a channel may have, with all that the tests connect to declared so."""
    running, command = manager
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", str(command.runtime))
    monkeypatch.setenv("WSCLI_FALLBACK", "error")
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:  # the tests set their own
        monkeypatch.delenv(name)
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # their servers log what their clients do on purpose
    with declaring(running, request.param):
        yield str(request.param)
    logging.getLogger("websockets").setLevel(logging.NOTSET)


@pytest.mark.parametrize(("suite", "name"), ALL)
@pytest.mark.filterwarnings("default")  # theirs
def test_a_test_of_the_library_passes_through_a_manager(suite: str, name: str, clients: str) -> None:
    what, why = outcome(suite, name)
    assert what == ("failed" if name in DIFFERENT[suite] else "passed"), why or DIFFERENT[suite][name]


def test_the_documentation_names_each_of_them_with_its_reason() -> None:
    text = (Path(__file__).parents[2] / "docs/adapter.md").read_text().partition("## The library's own tests")[2]
    told = {
        (name, why)
        for names, why in re.findall(r"^\| (.*`) \| (.*) \|$", text, re.MULTILINE)
        for name in re.findall("`(.*?)`", names)
    }
    pairs = [(name.partition(".")[2], why) for table in DIFFERENT.values() for name, why in table.items()]
    assert told == set(pairs)
    assert f"{len(ALL) - len(pairs)} of {len(ALL)} pass" in text


def test_the_table_names_tests_that_there_are() -> None:
    assert {suite: set(names) - set(names_of(suite)) for suite, names in DIFFERENT.items()} == {
        "asyncio": set(),
        "sync": set(),
    }
