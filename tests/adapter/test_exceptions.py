"""A dial of the manager that failed is raised as the library raises its own, and tried again where it tries again."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import Any

import pytest
import python_socks
from websockets import exceptions
from websockets.asyncio.client import process_exception
from websockets.exceptions import InvalidHandshake, InvalidHeader, InvalidStatus, SecurityError

from wscli.adapter.exceptions import exception_of
from wscli.core.failures import Failure, FailureKind
from wscli.gateway.upgrade.refusals import refusal_for_failure, refusal_for_now
from wscli.transport.dial.address import ServerAddress
from wscli.transport.dial.failures import failure_of, timed_out

SERVER = ServerAddress("api.example.com", 443)
INVALID_MESSAGE = vars(exceptions).get("InvalidMessage")
"""None before 14.2, where the library raises its cause."""
PROXY_ERROR = getattr(exceptions, "ProxyError", InvalidHandshake)


def raised(failure: Failure) -> Exception:
    """Give what the drop-in raises for a failure of the manager's."""
    refusal = InvalidStatus(refusal_for_failure(failure, channel="news"))
    return exception_of(refusal) or refusal


def certificate_error(words: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {words}")
    error.reason, error.verify_message = "CERTIFICATE_VERIFY_FAILED", words
    return error


@pytest.mark.parametrize(
    ("error", "step", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "dns", socket.gaierror),
        (OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)), "tcp", ConnectionRefusedError),
        (OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)), "tcp", OSError),
        (OSError(), "tcp", OSError),
        (python_socks.ProxyConnectionError(errno.ECONNREFUSED, "Could not connect"), "proxy", ConnectionRefusedError),
        (python_socks.ProxyError("Username and password authentication failure"), "proxy", PROXY_ERROR),
        (certificate_error("self-signed certificate"), "tls", ssl.SSLCertVerificationError),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "tls", ssl.SSLError),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "upgrade", INVALID_MESSAGE or EOFError),
        (EOFError(), "upgrade", INVALID_MESSAGE or EOFError),
    ],
)
def test_an_error_of_the_system_is_raised_as_its_own_class(error: Exception, step: str, kind: type[Exception]) -> None:
    found = raised(failure_of(error, step, SERVER))
    assert type(found) is kind
    assert (
        getattr(found, "errno", None) == getattr(error, "errno", None)
        or not isinstance(error, OSError)
        or step
        in (
            "proxy",
            "upgrade",
        )
    )


def test_a_timeout_of_the_manager_is_a_timeout() -> None:
    found = raised(timed_out("tcp", SERVER, 10.0))
    assert isinstance(found, TimeoutError)
    assert str(found) == "no connection to api.example.com:443 within 10s"


@pytest.mark.parametrize("words", ["self-signed certificate", "Hostname mismatch, certificate is not valid for 'a'."])
def test_a_refused_certificate_says_why_in_the_words_of_openssl(words: str) -> None:
    found = raised(failure_of(certificate_error(words), "tls", SERVER))
    assert isinstance(found, ssl.SSLCertVerificationError)
    assert found.reason == "CERTIFICATE_VERIFY_FAILED"
    assert f"certificate verify failed: {words.rstrip('.')}" in str(found)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("api.example.com closed the connection without answering the upgrade", EOFError),
        ("api.example.com reset the connection before answering the upgrade", EOFError),
        ("api.example.com did not answer the upgrade with HTTP: 220 ESMTP", ValueError),
        ("api.example.com sent more than 16 interim answers to the upgrade", ValueError),
        ("api.example.com answered the upgrade with more than 65536 bytes of headers", ValueError),
    ],
)
def test_only_a_lost_connection_is_tried_again(text: str, cause: type[Exception]) -> None:
    found = raised(Failure(FailureKind.UPGRADE, text))
    assert type(found) is (INVALID_MESSAGE or cause)
    assert INVALID_MESSAGE is None or type(found.__cause__) is cause
    assert (process_exception(found) is None) is (cause is EOFError)


@pytest.mark.parametrize(
    ("why", "kind", "words"),
    [
        ("Sec-WebSocket-Accept is missing", InvalidHeader, "missing Sec-WebSocket-Accept header"),
        ("the subprotocol 'v2' was not offered", InvalidHandshake, "the subprotocol 'v2' was not offered"),
    ],
)
def test_an_invalid_answer_to_the_upgrade_is_fatal(why: str, kind: type[Exception], words: str) -> None:
    found = raised(Failure(FailureKind.UPGRADE, f"api.example.com sent an invalid upgrade answer: {why}"))
    assert type(found) is kind
    assert str(found) == words
    assert process_exception(found) is found


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("answered CONNECT with HTTP 407 Who", "InvalidProxyStatus", "proxy rejected connection: HTTP 407"),
        ("did not answer CONNECT with HTTP", "InvalidProxyMessage", "did not receive a valid HTTP response from proxy"),
        ("refused: general SOCKS server failure", "ProxyError", "the proxy refused: general SOCKS server failure"),
    ],
)
def test_a_proxy_that_refuses_is_an_error_of_proxies(text: str, kind: str, words: str) -> None:
    found = raised(Failure(FailureKind.PROXY, f"the proxy {text}"))
    if PROXY_ERROR is InvalidHandshake:  # before websockets 15
        kind, words = "InvalidHandshake", f"the proxy {text}"
    assert (type(found).__name__, str(found)) == (kind, words)
    assert process_exception(found) is found


def test_too_many_redirects_are_a_matter_of_security() -> None:
    found = raised(Failure(FailureKind.STATUS, "redirected more than 5 times", code=310))
    assert isinstance(found, SecurityError)


@pytest.mark.parametrize("kind", [FailureKind.TOKEN, FailureKind.HOOK, FailureKind.SESSION, FailureKind.CLOSE])
def test_what_the_library_does_not_know_stays_a_refusal_that_is_tried_again(kind: FailureKind) -> None:
    found: Any = raised(Failure(kind, "no token"))
    assert isinstance(found, InvalidStatus)
    assert found.response.status_code == 502
    assert process_exception(found) is None


def test_a_manager_that_may_not_dial_yet_is_a_refusal_that_is_tried_again() -> None:
    refusal = InvalidStatus(refusal_for_now("news is waiting", "wait", retry_after=4.0))
    assert exception_of(refusal) is None
    assert process_exception(refusal) is None
