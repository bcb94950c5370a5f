"""Translates every exception of the system and of python-socks into a ``Failure``."""

from __future__ import annotations

import os
import re
import socket
import ssl

from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

from wscli.core.failures import Failure, FailureKind
from wscli.net.tls import lowered, tls_words
from wscli.transport.dial.address import ServerAddress
from wscli.values import format_duration

__all__ = ["FOREIGN", "timed_out", "failure_of"]

_OF_PROXIES = (ProxyConnectionError, ProxyError, ProxyTimeoutError)
FOREIGN: tuple[type[Exception], ...] = (OSError, EOFError, UnicodeError, *_OF_PROXIES)
"""The exceptions that ``failure_of`` translates; any other is a bug of ours and is not caught."""

_NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
)
_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")
_MAX_DETAIL = 200
_ERRNO = re.compile(r"\[Errno (\d+)\]")


def failure_of(error: Exception, step: str, server: ServerAddress) -> Failure:
    """Make the failure of a dial that raised ``error`` in ``step`` with ``server``.

    A library's text is not used where it might quote the URL or a header, which may contain secrets.
    """
    if isinstance(error, socket.gaierror):
        return Failure(FailureKind.DNS, f"cannot resolve {server.name}: {_lower(error.strerror)}")
    if isinstance(error, ssl.SSLError):
        return _tls(error, step, server)
    if isinstance(error, ProxyError):
        text = _lower(str(error))  # SOCKS has no code for a wrong password
        return Failure(FailureKind.PROXY, f"{server.where} refused: {text}", refused="authentication" in text)
    if isinstance(error, OSError):
        return _broken(error, step, server)
    if isinstance(error, UnicodeError):
        return Failure(FailureKind(step), f"invalid host name: {server.name}")
    return Failure(FailureKind(step), f"{server.where} closed the connection{_during(step)}")


def _broken(error: OSError, step: str, server: ServerAddress) -> Failure:
    kind = FailureKind(step)
    if step in ("dns", "tcp") or isinstance(error, ProxyConnectionError):
        return Failure(kind, f"cannot connect to {server.where}: {_reason(error)}")
    if isinstance(error, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)):
        how = "reset" if error.errno else "closed"  # asyncio raises one without a number when a handshake meets the end
        return Failure(kind, f"{server.where} {how} the connection{_during(step)}")
    return Failure(kind, f"the connection to {server.where} broke{_during(step)}: {_reason(error)}")


def _during(step: str) -> str:
    return {"tls": " during the TLS handshake", "upgrade": " before answering the upgrade"}.get(step, "")


def _reason(error: OSError) -> str:
    # Several addresses that failed differently come as one error, which names each number.
    numbers = [error.errno] if error.errno else [int(number) for number in _ERRNO.findall(str(error))]
    return ", ".join(dict.fromkeys(os.strerror(number).lower() for number in numbers)) or "no answer"


def _tls(error: ssl.SSLError, step: str, server: ServerAddress) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(
            FailureKind.CERTIFICATE,
            f"the certificate of {server.where} is refused: {tls_words(error) or 'unknown'}",
        )
    reason = getattr(error, "reason", None) or ""  # only OpenSSL's own errors have one
    if "ALERT" in reason and any(word in reason for word in _CERTIFICATE_ALERTS):
        return Failure(FailureKind.CERTIFICATE, f"{server.where} refuses our certificate: {tls_words(error)}")
    if reason in _NO_TLS:
        return Failure(FailureKind.TLS, f"{server.where} does not speak TLS")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        kind = FailureKind.UPGRADE if step == "upgrade" else FailureKind.TLS
        return Failure(kind, f"{server.where} closed the connection{_during(step)}")
    return Failure(FailureKind.TLS, f"no TLS with {server.where}: {tls_words(error) or 'the handshake failed'}")


def _lower(text: str | None) -> str:
    return lowered((text or "unknown")[:_MAX_DETAIL])


_AWAITED = {
    "dns": "no answer to the lookup of {name}",
    "tcp": "no connection to {where}",
    "proxy": "no answer from {where}",
    "tls": "no answer to the TLS handshake from {where}",
    "upgrade": "no answer to the upgrade from {where}",
}


def timed_out(step: str, server: ServerAddress, seconds: float) -> Failure:
    """Say what was awaited when the dial's deadline passed."""
    awaited = _AWAITED[step].format(name=server.name, where=server.where)
    return Failure(FailureKind.TIMEOUT, f"{awaited} within {format_duration(seconds)}")
