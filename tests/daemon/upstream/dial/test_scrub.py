"""What a server says is kept without what it was told in confidence."""

from __future__ import annotations

import pytest

from wscli.core.events import Failure, FailureKind
from wscli.daemon.upstream.dial.scrub import scrubbed, secrets_of
from wscli.transport.connection import DialTarget

TARGET = DialTarget(
    "wss://bob:hunter22@api.example.com/ws?token=tok%2Fen+1&v=2",
    (("Authorization", "Bearer s3cret"), ("Origin", "https://app.example.com")),
    ("bearer.jwt1",),
)
SECRETS = secrets_of(TARGET, ["jwt1"])


@pytest.mark.parametrize(
    "secret",
    ["tok%2Fen+1", "tok/en 1", "s3cret", "Bearer s3cret", "hunter22", "bob:hunter22", "jwt1", "Bearer%20s3cret"],
)
def test_no_secret_of_the_dial_is_left(secret: str) -> None:
    failure = Failure(
        FailureKind.CLOSE, f"closed: 4000 no {secret}, sorry", code=4000, close_reason=f"no {secret}, sorry"
    )
    after = scrubbed(failure, SECRETS)
    assert (after.text, after.close_reason) == ("closed: 4000 no ***, sorry", "no ***, sorry")
    assert (after.kind, after.code) == (failure.kind, failure.code)


def test_a_secret_that_was_cut_short_is_none_to_be_seen() -> None:
    assert scrubbed(Failure(FailureKind.CLOSE, "no hunter"), SECRETS).text == "no ***"


def test_other_words_stand_as_they_are() -> None:
    failure = Failure(FailureKind.CLOSE, "closed by the server: 1012 v2 restarts", close_reason="v2 restarts")
    assert scrubbed(failure, SECRETS) == failure


def test_a_header_host_that_names_the_urls_host_is_no_secret() -> None:
    for host, secret in (("api.example.com", False), ("front.internal", True)):
        target = DialTarget("wss://api.example.com/ws", (("Host", host),))
        assert (host in secrets_of(target, [])) is secret
