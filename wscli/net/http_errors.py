"""Describes the exceptions of aiohttp; their own text is never used, because it quotes URLs and remote lines."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Any

from wscli.net.tls import tls_words

__all__ = ["explain"]

_MAX_DETAIL = 200


def _clauses() -> list[tuple[type[Exception], Callable[[Any], str]]]:
    """The clause for each class; a subclass stands before its base."""
    import aiohttp
    import python_socks

    return [
        (python_socks.ProxyError, lambda error: f"the proxy refused: {str(error).lower()[:_MAX_DETAIL]}"),
        (aiohttp.ClientConnectorDNSError, lambda _: "cannot resolve the host"),
        (aiohttp.ClientProxyConnectionError, lambda error: f"cannot connect to the proxy: {_system(error.os_error)}"),
        (aiohttp.ClientHttpProxyError, lambda error: f"the proxy answered HTTP {error.status}"),
        (
            aiohttp.ClientConnectorCertificateError,
            lambda error: f"the certificate is refused: {_tls(error.certificate_error)}",
        ),
        (aiohttp.ServerFingerprintMismatch, lambda _: "the certificate is refused: its fingerprint differs"),
        (aiohttp.ClientSSLError, lambda error: f"TLS failed: {_tls(error.os_error)}"),
        (aiohttp.ClientConnectorError, lambda error: f"cannot connect: {_system(error.os_error)}"),
        (aiohttp.ServerDisconnectedError, lambda _: "the connection ended before an answer"),
        (aiohttp.ClientPayloadError, lambda _: "the connection ended before the whole answer"),
        (aiohttp.ClientResponseError, lambda _: "the answer is not HTTP"),
        (aiohttp.InvalidURL, lambda _: "invalid URL"),
        (aiohttp.NonHttpUrlClientError, lambda _: "invalid URL"),
        (TimeoutError, lambda _: "no answer in time"),
        (OSError, lambda error: f"the connection broke: {_system(error)}"),
        (aiohttp.ClientConnectionError, lambda _: "the connection failed"),
        (ValueError, lambda _: "invalid URL or header"),
    ]


def explain(error: Exception) -> str:
    """Describe an exception of aiohttp, yarl, python-socks or the system in one lower-case clause."""
    for kind, clause in _clauses():
        if isinstance(error, kind):
            return clause(error)
    return f"the request failed ({type(error).__name__})"


def _system(error: OSError) -> str:
    """The system's text for an error number, else the class name: the error's own text may hold secrets."""
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else type(error).__name__


def _tls(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError) and (words := tls_words(error)):
        return words
    return _system(error) if isinstance(error, OSError) else type(error).__name__
