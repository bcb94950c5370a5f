"""No exception of a library reaches the manager: each is translated, once, and none is forgotten."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest
import python_socks

from wscli.core.failures import FailureKind
from wscli.transport.dial.address import ServerAddress
from wscli.transport.dial.failures import FOREIGN, failure_of, timed_out
from wscli.transport.frames.close_codes import lost

SECRET = "s3cret"
PLACE = ServerAddress("api.example.com", 443)
STEPS = ["dns", "tcp", "proxy", "tls", "upgrade"]


def classes(module: object) -> list[type[Exception]]:
    """The exceptions that a module exports."""
    found = (getattr(module, name) for name in getattr(module, "__all__"))  # noqa: B009 - of any module
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception)]


def ssl_errors(kind: type[Exception]) -> list[type[Exception]]:
    found = [kind, *(error for below in kind.__subclasses__() for error in ssl_errors(below))]
    return [kind for kind in found if kind.__module__ == "ssl"]


@pytest.mark.parametrize("step", STEPS)
def test_every_exception_becomes_a_line_in_our_words(step: str) -> None:
    """Of the kind that it may be, and without what must not be shown."""
    any_kind, own_kind = set(FailureKind), {FailureKind(step)}
    closed = {FailureKind.UPGRADE} if step == "upgrade" else set()  # after the handshake of TLS
    expected: list[tuple[Exception, set[FailureKind]]] = [
        *((kind("Could not connect"), {FailureKind.PROXY, *own_kind}) for kind in classes(python_socks)),
        *((OSError(number, SECRET), own_kind) for number in (*errno.errorcode, 0, 99999)),
        *((kind(1, SECRET), {FailureKind.TLS, FailureKind.CERTIFICATE, *closed}) for kind in ssl_errors(ssl.SSLError)),
        *((kind(SECRET), any_kind) for kind in (EOFError, UnicodeError, OSError)),
        *((kind(), any_kind) for kind in (TimeoutError, ConnectionResetError)),
    ]
    for error, kinds in expected:
        assert isinstance(error, FOREIGN)
        failure = failure_of(error, step, PLACE)
        assert failure.kind in kinds, repr(error)
        assert failure.text
        assert not [word for word in ("\n", SECRET, "Error") if word in failure.text], repr(error)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_MEMORY])
def test_every_failure_to_resolve_is_of_dns(number: int, step: str) -> None:
    failure = failure_of(socket.gaierror(number, "Name or service not known"), step, PLACE)
    text = "cannot resolve 'api.example.com': name or service not known"
    assert (failure.kind, failure.text) == (FailureKind.DNS, text)


@pytest.mark.parametrize("kind", [ValueError, TypeError, KeyError, AttributeError, AssertionError, RuntimeError])
def test_a_bug_of_ours_is_not_taken_for_a_failure_to_connect(kind: type[Exception]) -> None:
    assert not issubclass(kind, FOREIGN)


@pytest.mark.parametrize(
    ("reason", "kind", "text"),
    [
        ("WRONG_VERSION_NUMBER", FailureKind.TLS, "api.example.com:443 does not speak TLS"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", FailureKind.TLS, "no TLS with api.example.com:443: handshake failure"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", FailureKind.TLS, "no TLS with api.example.com:443: protocol version"),
        ("UNSAFE_LEGACY_RENEGOTIATION_DISABLED", FailureKind.TLS, None),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", FailureKind.CERTIFICATE, None),
        ("SSLV3_ALERT_BAD_CERTIFICATE", FailureKind.CERTIFICATE, None),
        ("TLSV1_ALERT_UNKNOWN_CA", FailureKind.CERTIFICATE, "api.example.com:443 refuses our certificate: unknown ca"),
    ],
)
def test_tls_alerts_are_told_apart(reason: str, kind: FailureKind, text: str | None) -> None:
    error = ssl.SSLError(1, "[SSL] " + reason)
    error.reason = reason
    failure = failure_of(error, "tls", PLACE)
    assert failure.kind is kind
    assert text is None or failure.text == text


@pytest.mark.parametrize(
    ("error", "step", "text"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), "tcp", "cannot connect to {}: connection refused"),
        (OSError(errno.ENETUNREACH, ""), "tcp", "cannot connect to {}: network is unreachable"),
        (
            OSError(f"Multiple: [Errno {errno.ENETUNREACH}] for ('::1', 1, 0, 0), [Errno {errno.ECONNREFUSED}] for x"),
            "tcp",
            "cannot connect to {}: network is unreachable, connection refused",
        ),
        (ConnectionResetError(errno.ECONNRESET, ""), "upgrade", "{} reset the connection before answering the upgrade"),
        (ConnectionResetError(), "tls", "{} closed the connection during the TLS handshake"),
        (OSError(errno.EHOSTUNREACH, ""), "proxy", "the connection to {} broke: no route to host"),
        (EOFError(), "upgrade", "{} closed the connection before answering the upgrade"),
    ],
)
def test_texts_say_what_happened_with_whom(error: Exception, step: str, text: str) -> None:
    assert failure_of(error, step, PLACE).text == text.format("api.example.com:443")


def test_every_step_says_what_was_awaited_when_time_ran_out() -> None:
    failures = [timed_out(step, PLACE, 10.0) for step in STEPS]
    assert {failure.kind for failure in failures} == {FailureKind.TIMEOUT}
    assert all(failure.text.endswith(" within 10s") for failure in failures)
    assert timed_out("upgrade", PLACE, 10.0).text == "no answer to the upgrade from api.example.com:443 within 10s"


def test_a_tls_error_after_the_upgrade_is_told_in_words() -> None:
    """Its number is OpenSSL's, and means something else to the system."""
    error = ssl.SSLError(1, "s3cret")
    error.reason = "TLSV1_ALERT_INTERNAL_ERROR"
    failure = lost(error)
    assert (failure.code, failure.text) == (1006, "TLS failed: internal error")
