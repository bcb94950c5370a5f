"""What a server says is kept without what it was told in confidence."""

from __future__ import annotations

import pytest

from wscli.core.failures import Failure, FailureKind
from wscli.daemon.upstream.dial.scrub import scrubbed, scrubbed_answer, scrubbed_timeline, secrets_of
from wscli.transport.connection import DialTarget, DialTimeline, UpgradeExchange

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


def test_values_of_the_environment_in_the_url_and_in_subprotocols_are_secrets() -> None:
    secrets = secrets_of(TARGET, [], ["api.example", "bearer.jwt1", "elsewhere"])
    failure = Failure(FailureKind.STATUS, "elsewhere: bearer.jwt1 at api.example.com")
    assert scrubbed(failure, secrets).text == "elsewhere: *** at ***.com"


HIDDEN = {
    "set-cookie": "sid=1", "x-auth-token": "1", "authorization": "1", "x-api-key": "1", "x-session-id": "1",
    "authentication-info": "1", "x-amz-signature": "1",
}  # fmt: skip
SHOWN = {
    "server": "nginx", "content-type": "text/html", "retry-after": "5", "www-authenticate": 'Bearer error="expired"',
    "sec-websocket-accept": "abc", "sec-websocket-key-of-ours": "x", "cf-ray": "8a", "x-request-id": "7",
}  # fmt: skip


def test_of_an_answer_harmless_values_are_shown_and_secret_ones_hidden() -> None:
    references = {"location": "/new?ticket=1", "content-location": "https://a/b?c"}
    timeline = DialTimeline(exchanges=[UpgradeExchange("", answer=tuple({**HIDDEN, **SHOWN, **references}.items()))])
    timeline = scrubbed_timeline(timeline, SECRETS)
    answer = dict(timeline.exchanges[0].answer)
    assert {name: answer[name] for name in HIDDEN} == dict.fromkeys(HIDDEN, "***")
    assert {name: answer[name] for name in SHOWN} == SHOWN
    assert {name: answer[name] for name in references} == {
        "location": "/new?***",
        "content-location": "https://a/b?***",
    }


def test_what_was_asked_and_answered_has_no_secret_of_the_dial() -> None:
    exchange = UpgradeExchange(
        "wss://api.example.com/s3cret?token=***", subprotocols=("bearer.jwt1",), phrase="no s3cret",
        answer=(("x-echo", "hunter22"), ("hunter22", "1")), body='{"error":"s3cret is bad: hunte',
    )  # fmt: skip
    timeline = DialTimeline(exchanges=[exchange])
    timeline.add("upgrade", 0.1, "subprotocol bearer.jwt1", ok=False)
    timeline = scrubbed_timeline(timeline, SECRETS)
    after = timeline.exchanges[0]
    assert (after.url, after.subprotocols) == ("wss://api.example.com/***?token=***", ("bearer.***",))
    assert (after.phrase, after.body) == ("no ***", '{"error":"*** is bad: ***')
    assert after.answer == (("x-echo", "***"), ("***", "1"))
    assert timeline.steps[0].detail == "subprotocol bearer.***"


def test_an_answer_of_many_large_headers_is_kept_in_part() -> None:
    many = tuple((f"x-{number}", "v" * 5000) for number in range(500))
    timeline = DialTimeline(exchanges=[UpgradeExchange("", answer=many)])
    timeline = scrubbed_timeline(timeline, SECRETS)
    answer = timeline.exchanges[0].answer
    assert (len(answer), max(len(value) for _, value in answer)) == (50, 200)


def test_a_header_host_that_names_the_urls_host_is_no_secret() -> None:
    for host, secret in (("api.example.com", False), ("front.internal", True)):
        target = DialTarget("wss://api.example.com/ws", (("Host", host),))
        assert (host in secrets_of(target, [])) is secret


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ('{"ok":true,"url":"wss://a.example/?ticket=abc"}', '{"ok":true,"url":"wss://a.example/?***"}'),
        ('{"access_token": "ab\\"c", "expires_in":5}', '{"access_token": "***", "expires_in":5}'),
        ('{"data":{"session_id":"abc","seq":4}}', '{"data":{"session_id":"***","seq":4}}'),
        ('{"ticket":"abcdefgh', '{"ticket":"***"'),
        ("you sent hunter2", "you sent ***"),
    ],
)
def test_an_answer_to_a_step_shows_no_secret(answer: str, shown: str) -> None:
    assert scrubbed_answer(answer, ("hunter2",)) == shown
