"""The exceptions of `websockets` for dials of the manager that failed."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from collections.abc import Callable

from websockets import exceptions
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidHeader, InvalidStatus, SecurityError
from websockets.http11 import Response

from wscli.control.protocol import FAILURE_HEADER

__all__ = ["NO_ANSWER", "exception_of"]

_InvalidMessage: type[InvalidHandshake] | None = vars(exceptions).get("InvalidMessage")
"""None before 14.2, where the library raises the cause itself."""
NO_ANSWER: tuple[type[Exception], ...] = (ConnectionClosed, _InvalidMessage or EOFError)
"""What the library raises where the other side hung up during the handshake."""

_SINCE_15 = hasattr(exceptions, "ProxyError")
_STATUS = re.compile(r" answered CONNECT with HTTP ([1-9]\d\d)")
_REASONS = {
    os.strerror(number).lower(): number
    for number in (
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ETIMEDOUT,
        errno.EACCES,
        errno.ENOENT,
    )
}


def exception_of(refusal: InvalidStatus) -> Exception | None:
    """Give what the library raises where a dial of its own fails so; None where it raises ``refusal`` itself.

    The manager names the kind of its failure in a header, and its words in the first line of the body. Failures that
    the library does not know, such as a token that cannot be fetched, stay refusals with 502.
    """
    response = refusal.response
    kind, text = (
        response.headers.get(FAILURE_HEADER),
        (response.body or b"").decode(errors="replace").partition("\n")[0],
    )
    if kind == "status":
        return SecurityError(text) if "redirected more than " in text else None
    makers: dict[str, Callable[[], Exception]] = {
        "dns": lambda: socket.gaierror(socket.EAI_NONAME, text),
        "tcp": lambda: _os_error(text),
        "proxy": lambda: _os_error(text) if "cannot connect to " in text else _proxy_error(text),
        "tls": lambda: ssl.SSLError(1, text),
        "certificate": lambda: _certificate_error(text),
        "upgrade": lambda: _invalid_answer(text),
        "timeout": lambda: TimeoutError(text),
    }
    return makers[kind]() if kind in makers else None


def _os_error(text: str) -> OSError:
    """Make the subclass for the system's words at the end of a line, such as ConnectionRefusedError."""
    number = _REASONS.get(text.rpartition(": ")[-1])
    return OSError(text) if number is None else OSError(number, text)


def _proxy_error(text: str) -> InvalidHandshake:
    if not _SINCE_15:
        return InvalidHandshake(text)
    if status := _STATUS.search(text):
        return exceptions.InvalidProxyStatus(Response(int(status[1]), "", Headers()))
    if " CONNECT" not in text:
        return exceptions.ProxyError(text)
    error = exceptions.InvalidProxyMessage("did not receive a valid HTTP response from proxy")
    error.__cause__ = ValueError(text)
    return error


def _certificate_error(text: str) -> ssl.SSLError:
    _, refused, why = text.partition(" is refused: ")
    if not refused:  # the server refuses ours
        return ssl.SSLError(1, text)
    if why.startswith("hostname"):
        why = why.capitalize()  # as OpenSSL writes it, in capitals and all
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {why}")
    error.reason, error.verify_message = "CERTIFICATE_VERIFY_FAILED", why
    return error


def _invalid_answer(text: str) -> Exception:
    _, invalid, why = text.partition(" sent an invalid upgrade answer: ")
    if invalid:
        name, missing, _ = why.partition(" is missing")
        return InvalidHeader(name) if missing else InvalidHandshake(why)
    _, other, said = text.partition(" did not answer the upgrade with HTTP")
    cause: Exception
    if other:
        cause = ValueError(f"unsupported protocol; expected HTTP/1.1{said}")
    elif " sent " in text or " with more than " in text:
        cause = ValueError(text)
    else:  # `async for websocket in connect(...)` tries again after an EOFError only
        cause = EOFError("connection closed while reading HTTP status line")
    if _InvalidMessage is None:
        return cause
    error = _InvalidMessage("did not receive a valid HTTP response")
    error.__cause__ = cause
    return error
