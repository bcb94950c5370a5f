"""No exception of the HTTP library passes unnamed, and none is quoted."""

from __future__ import annotations

import inspect
import ssl
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from wscli.net.http_errors import explain


def subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def made(kind: type[Exception]) -> Exception:
    """An instance whose every text is a secret, however its constructor is shaped."""
    error: Any = kind.__new__(kind)
    Exception.__init__(error, "hunter2")
    values = {
        "_os_error": OSError(111, "hunter2"),
        "_conn_key": SimpleNamespace(host="hunter2", port=1, ssl=True),
        "_certificate_error": ssl.SSLCertVerificationError("hunter2"),
        "status": 502,
        "message": "hunter2",
        "host": "hunter2",
    }
    for name, value in values.items():
        if not inspect.isdatadescriptor(getattr(kind, name, None)):
            setattr(error, name, value)
    if isinstance(error._certificate_error, ssl.SSLCertVerificationError):
        error._certificate_error.verify_message = "unable to get local issuer certificate"
    return error


# A bare ClientError is raised nowhere; redirects and uploads with a body of ours are not the library's to fail at.
UNNAMED = {"ClientError", "RedirectClientError", "UploadAbortedError"}


@pytest.mark.parametrize("kind", sorted(subclasses(aiohttp.ClientError), key=lambda kind: kind.__name__))
def test_every_error_of_the_library_has_a_clause_of_ours(kind: type[Exception]) -> None:
    text = explain(made(kind))
    assert "hunter2" not in text
    assert "\n" not in text
    assert text.startswith("the request failed (") == (kind.__name__ in UNNAMED)


def test_the_systems_errors_are_in_its_own_words() -> None:
    assert explain(ConnectionResetError(104, "hunter2")) == "the connection broke: connection reset by peer"
    assert explain(OSError("hunter2")) == "the connection broke: OSError"
    assert explain(TimeoutError("hunter2")) == "no answer in time"
    assert explain(ValueError("hunter2")) == "invalid URL or header"
