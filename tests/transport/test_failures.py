"""No exception of a library reaches the manager: each is failure_ofd, once, and none is forgotten."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest
import python_socks
import websockets.exceptions
from websockets.datastructures import Headers
from websockets.frames import Close
from websockets.http11 import Request, Response

from tests.transport.conftest import needs_picows
from wscli.core.events import Failure, FailureKind
from wscli.transport.dial.address import ServerAddress
from wscli.transport.dial.failures import FOREIGN, failure_of, timed_out

SECRET = "s3cret"
PLACE = ServerAddress("api.example.com", 443)
STEPS = ["dns", "tcp", "proxy", "tls", "upgrade"]

_RESPONSE = Response(500, SECRET, Headers())
_ARGUMENTS: dict[str, tuple[object, ...]] = {
    "ConnectionClosed": (None, None),
    "ConnectionClosedOK": (Close(1000, SECRET), Close(1000, ""), True),
    "ConnectionClosedError": (None, Close(1011, SECRET), None),
    "InvalidURI": (f"ws://user:{SECRET}@h/", "bad"),
    "InvalidProxy": (f"http://user:{SECRET}@h/", "bad"),
    "InvalidProxyStatus": (_RESPONSE,),
    "InvalidStatus": (_RESPONSE,),
    "InvalidMethod": (Request("/", Headers()),),
    "InvalidHeader": ("Upgrade", SECRET),
    "InvalidHeaderFormat": ("Upgrade", "bad", SECRET, 0),
    "InvalidHeaderValue": ("Upgrade", SECRET),
    "InvalidOrigin": (SECRET,),
    "InvalidUpgrade": ("Upgrade", SECRET),
    "DuplicateParameter": ("x",),
    "InvalidParameterName": ("x",),
    "InvalidParameterValue": ("x", SECRET),
    "PayloadTooBig": (2, 1),
}


def made(kind: type[Exception]) -> Exception:
    """One of that class, whatever its constructor wants."""
    return kind(*_ARGUMENTS.get(kind.__name__, (SECRET,)))


def classes(module: object, base: type[Exception] = Exception) -> list[type[Exception]]:
    """The exceptions that a module exports."""
    found = (getattr(module, name) for name in getattr(module, "__all__"))  # noqa: B009 - of any module
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, base)]


def assert_known(error: Exception, step: str) -> Failure:
    """It makes a line for a person, in our words, without what must not be shown."""
    assert isinstance(error, FOREIGN)
    failure = failure_of(error, step, PLACE)
    assert isinstance(failure.kind, FailureKind)
    assert failure.text
    assert not [word for word in ("\n", SECRET, "Error") if word in failure.text]
    return failure


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", classes(websockets.exceptions), ids=lambda kind: kind.__name__)
def test_every_exception_of_websockets_is_known(kind: type[Exception], step: str) -> None:
    assert_known(made(kind), step)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", classes(python_socks), ids=lambda kind: kind.__name__)
def test_every_exception_of_python_socks_is_known(kind: type[Exception], step: str) -> None:
    failure = assert_known(kind("Could not connect to proxy"), step)
    assert failure.kind in {FailureKind.PROXY, FailureKind(step)}


@needs_picows
@pytest.mark.parametrize("step", STEPS)
def test_every_exception_of_picows_is_known(step: str) -> None:
    import picows

    arguments = {
        "WSInvalidURL": (f"ws://{SECRET}@h", "bad"),
        "WSInvalidHeaderError": ("bad", "Upgrade", SECRET),
        "WSInvalidUpgradeError": ("bad", "Upgrade", SECRET),
        "WSProtocolError": (picows.WSCloseCode.PROTOCOL_ERROR, SECRET),
    }
    for kind in classes(picows):
        assert_known(kind(*arguments.get(kind.__name__, (SECRET,))), step)


@pytest.mark.parametrize("step", STEPS)
def test_every_errno_is_known(step: str) -> None:
    for number in (*errno.errorcode, 0, 99999):
        assert assert_known(OSError(number, SECRET), step).kind is FailureKind(step)
    assert_known(OSError(SECRET), step)


def subclasses(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(found for below in kind.__subclasses__() for found in subclasses(below))]


@pytest.mark.parametrize("step", STEPS)
def test_every_exception_of_ssl_is_known(step: str) -> None:
    for kind in (kind for kind in subclasses(ssl.SSLError) if kind.__module__ == "ssl"):
        assert assert_known(kind(1, SECRET), step).kind in {FailureKind.TLS, FailureKind.CERTIFICATE}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_MEMORY])
def test_every_failure_to_resolve_is_of_dns(number: int, step: str) -> None:
    failure = failure_of(socket.gaierror(number, "Name or service not known"), step, PLACE)
    assert (failure.kind, failure.text) == (
        FailureKind.DNS,
        "cannot resolve 'api.example.com': name or service not known",
    )


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "error", [EOFError(SECRET), UnicodeError(SECRET), TimeoutError(), ConnectionResetError()], ids=repr
)
def test_what_the_standard_library_raises_is_known(error: Exception, step: str) -> None:
    assert_known(error, step)


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
    for step in STEPS:
        failure = timed_out(step, PLACE, 10.0)
        assert failure.kind is FailureKind.TIMEOUT
        assert failure.text.endswith(" within 10s")
    assert timed_out("upgrade", PLACE, 10.0).text == "no answer to the upgrade from api.example.com:443 within 10s"
