"""A client whose upgrade is refused is told how its upstream's dial failed."""

from __future__ import annotations

import pytest

from wscli.control.protocol import FAILURE_HEADER
from wscli.core.failures import Failure, FailureKind
from wscli.errors import ChannelUnavailable, UnknownChannel, UsageError, WscliError
from wscli.gateway.upgrade.refusals import refusal_for_error, refusal_for_failure, refusal_for_now
from wscli.transport.connection import UpgradeExchange

STATUS = Failure(FailureKind.STATUS, "api.test:443 answered the upgrade with HTTP 401 Unauthorized", code=401)


def exchange(status: int = 401, body: str = "no", phrase: str = "Unauthorized", **answer: str) -> UpgradeExchange:
    headers = tuple((name.replace("_", "-"), value) for name, value in answer.items())
    return UpgradeExchange("wss://api.test/", status=status, phrase=phrase, answer=headers, body=body)


def test_a_refused_upgrade_is_answered_as_the_server_answered_it() -> None:
    said = exchange(www_authenticate="Bearer", content_type="application/json", retry_after="7", set_cookie="a=b")
    answer = refusal_for_failure(STATUS, said, channel="news")
    assert (answer.status_code, answer.reason_phrase, answer.body) == (401, "Unauthorized", b"no")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Retry-After"] == "7"
    assert answer.headers[FAILURE_HEADER] == "status"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.STATUS])
def test_every_other_failure_is_502_or_504_with_its_kind_and_a_hint(kind: FailureKind) -> None:
    answer = refusal_for_failure(Failure(kind, "it failed\x1b"), channel="it's")
    assert answer.status_code == (504 if kind is FailureKind.TIMEOUT else 502)
    assert answer.headers[FAILURE_HEADER] == kind
    assert answer.body == b"""it failed\\x1b\nhint: `wscli doctor 'it'"'"'s'` tells each step\n"""


def test_a_redirect_names_its_target_for_attached_clients() -> None:
    failure = Failure(FailureKind.STATUS, "a redirect", code=302, location="wss://other.test/?token=x")
    answer = refusal_for_failure(failure, exchange(302, location="wss://other.test/"), channel="news")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "wss://other.test/?token=x"


@pytest.mark.parametrize(("code", "status"), [(310, 302), (103, 103), (401, None)])
def test_an_answer_that_is_not_the_last_word_is_502(code: int, status: int | None) -> None:
    failure = Failure(FailureKind.STATUS, "x", code=code)
    said = None if status is None else exchange(status)
    assert refusal_for_failure(failure, said, channel="news").status_code == 502


@pytest.mark.parametrize("status", [299, 418, 599])
def test_a_status_without_a_phrase_is_passed_on(status: int) -> None:
    failure = Failure(FailureKind.STATUS, "x", code=status)
    answer = refusal_for_failure(failure, exchange(status, phrase=""), channel="news")
    assert answer.serialize().startswith(b"HTTP/1.1 %d \r\n" % status)


def test_text_of_a_server_ends_no_line_of_the_answer() -> None:
    said = exchange(phrase="Bad\rX-Evil: 1", www_authenticate="Basic\rX-Evil: 1", content_type="text/é")
    answer = refusal_for_failure(STATUS, said, channel="news")
    assert b"Evil" not in answer.serialize()
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_an_answer_without_a_body_gets_none() -> None:
    failure = Failure(FailureKind.STATUS, "x", code=204)
    assert refusal_for_failure(failure, exchange(204), channel="news").body == b""


def test_a_wait_is_told_in_whole_seconds() -> None:
    answer = refusal_for_now("held back", "try later", retry_after=2.1)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
    assert answer.body == b"held back\nhint: try later\n"
    failed = refusal_for_failure(Failure(FailureKind.TCP, "refused"), channel="news", retry_after=0.2)
    assert failed.headers["Retry-After"] == "1"
    assert "Retry-After" not in refusal_for_now("x", "y").headers


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (UnknownChannel("no channel 'x'", "do this"), 404, b"no channel 'x'\nhint: do this\n"),
        (UsageError("invalid last: '\x1b'", "do that"), 400, b"invalid last: '\\x1b'\nhint: do that\n"),
        (ChannelUnavailable("without a hint"), 503, b"without a hint\n"),
    ],
)
def test_an_error_of_ours_is_told_with_its_hint_if_it_has_one(error: WscliError, status: int, body: bytes) -> None:
    answer = refusal_for_error(error)
    assert (answer.status_code, answer.body) == (status, body)
