"""Verdicts: which declaration wins, what is built in, and what is refused in words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.core.steps import close, status
from wscli.core.failures import MOMENTS, Action, Failure, FailureKind, Verdict
from wscli.core.verdicts import CodeRange, Verdicts, decide, parse_verdicts
from wscli.values import Scalar


def judge(failure: Failure, *levels: dict[Any, Any], **more: Any) -> Verdict:
    return decide(failure, [parse_verdicts(level) for level in levels], **more)


CREDENTIALS = [status(401), status(403), close(4401)]


@pytest.mark.parametrize("failure", [*CREDENTIALS, close(3000), close(3003)], ids=lambda failure: str(failure.code))
def test_refused_credentials_are_renewed_where_a_token_was_used(failure: Failure) -> None:
    assert judge(failure, token_used=True, refusals=9) == Verdict(Action.REAUTH)
    assert judge(failure).action is Action.RETRY


LIKELY_REPEATED = [
    *CREDENTIALS,
    *map(status, (400, 405, 410, 426)),
    *map(status, (300, 301, 302, 307, 308, 399)),  # redirects that were not followed
    *map(close, (1002, 1003, 1007, 1008, 1010)),  # RFC 6455, section 7.4.1
    Failure(FailureKind.CERTIFICATE, "expired"),
    Failure(FailureKind.VIOLATION, "masked", code=1002),
    Failure(FailureKind.TOKEN, "invalid_grant", refused=True),
    Failure(FailureKind.PROXY, "wrong password", code=407, refused=True),
]


@pytest.mark.parametrize("failure", LIKELY_REPEATED, ids=lambda failure: f"{failure.kind}-{failure.code}")
def test_what_another_dial_is_likely_to_repeat_stops_at_the_third_in_a_row(failure: Failure) -> None:
    found = [judge(failure, refusals=count) for count in (1, 2, 3, 4)]
    assert [one.action for one in found] == [Action.RETRY, Action.RETRY, Action.STOP, Action.STOP]
    assert found[-1].mends
    key = failure.code if failure.kind in (FailureKind.CLOSE, FailureKind.STATUS) else failure.kind
    assert judge(failure, {key: "retry"}, refusals=9).action is Action.RETRY
    assert judge(failure, {key: "stop"}) == Verdict(Action.STOP), "declared: at once, and final"


ALL_OTHERS = [
    *map(status, (404, 407, 408, 429, 500, 502, 503, 529)),
    *map(close, (1000, 1001, 1005, 1006, 1009, 1011, 1012, 1013, 1014, 1015, 4000, 4400, 4999, None)),
]


@pytest.mark.parametrize("failure", ALL_OTHERS, ids=lambda failure: str(failure.code))
def test_all_others_are_tried_again(failure: Failure) -> None:
    assert judge(failure) == judge(failure, token_used=True) == Verdict(Action.RETRY)


@pytest.mark.parametrize("kind", FailureKind)
def test_no_kind_is_final_at_first_sight(kind: FailureKind) -> None:
    for code in (None, 1002, 4401):
        assert judge(Failure(kind, "failed", code=code), refusals=1) == Verdict(Action.RETRY)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in FailureKind if kind not in ("close", "status", "violation", "too_big", "certificate")],
)
@pytest.mark.parametrize("code", [400, 401, 403, 407, 1002, 1008, 4401])
def test_only_the_servers_own_codes_are_judged(kind: FailureKind, code: int) -> None:
    """A proxy's 403 or a token server's 401 says nothing about what the server thinks of our credentials."""
    failure = Failure(kind, "failed", code=code)
    assert judge(failure, {code: "stop"}, token_used=True, refusals=9) == Verdict(Action.RETRY)


def test_the_nearest_level_that_names_the_code_wins_however_wide_its_range() -> None:
    channel, endpoint, file = {"4000-4999": "retry"}, {4401: "stop"}, {4500: "done", 503: "stop"}
    assert judge(close(4401), channel, endpoint, file).action is Action.RETRY
    assert judge(close(4401), endpoint, file).action is Action.STOP
    assert judge(close(4500), endpoint, file).action is Action.DONE
    assert judge(status(503), channel, endpoint, file).action is Action.STOP
    assert judge(close(4401), {}, {}, token_used=True).action is Action.REAUTH


def test_within_a_level_the_narrowest_key_wins_wherever_it_stands() -> None:
    table = {"1000-4999": "retry", "4000-4099": "fresh", 4005: "done", "4000-4009": "stop"}
    for written in (table, dict(reversed(table.items()))):
        assert judge(close(4005), written).action is Action.DONE
        assert judge(close(4006), written).action is Action.STOP
        assert judge(close(4050), written).action is Action.FRESH
        assert judge(close(1012), written).action is Action.RETRY
    assert judge(status(503), {"5xx": "stop", 503: "retry"}).action is Action.RETRY
    assert judge(status(599), {"5xx": "stop", 503: "retry"}).action is Action.STOP


KINDS = [str(kind) for kind in FailureKind if kind not in ("status", "close", "upgrade", "hook", "session")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_names_failures_at_every_level(kind: str) -> None:
    failure = Failure(FailureKind(kind), "failed", code=407 if kind == "proxy" else None)
    others = dict.fromkeys((key for key in KINDS if key != kind), "stop")
    assert judge(failure, {kind: "done"}, {kind: "stop"}).action is Action.DONE
    assert judge(failure, others, {}, {kind: {"retry": "60s"}}) == Verdict(Action.RETRY, 60.0)
    assert judge(failure, {"100-599": "done", "1000-4999": "done"}).action is Action.RETRY


def test_within_a_level_a_code_beats_a_kind_and_a_kind_beats_a_range() -> None:
    too_big = Failure(FailureKind.TOO_BIG, "too big", code=1009, by="us")
    assert judge(too_big, {"1000-1015": "done", "too_big": "stop", 1009: "fresh"}).action is Action.FRESH
    assert judge(too_big, {"1000-1015": "done", "too_big": "stop"}).action is Action.STOP
    assert judge(too_big, {"1000-1015": "done"}, {"too_big": "stop"}).action is Action.DONE
    assert judge(close(1009), {"too_big": "stop"}).action is Action.RETRY, "the server's own limit"


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_of_a_session_is_a_key_of_its_own(moment: str) -> None:
    failure = Failure(FailureKind.SESSION, "no answer", moment=moment)
    others = {f"session:{other}": "stop" for other in MOMENTS if other != moment}
    assert judge(failure, others).action is Action.RETRY
    assert judge(failure, others, {f"session:{moment}": "done"}).action is Action.DONE


@given(
    st.lists(st.tuples(st.integers(1000, 4999), st.integers(1000, 4999), st.sampled_from(Action)), max_size=8),
    st.integers(1000, 4999),
)
def test_what_wins_names_the_code_and_nothing_narrower_does(entries: list[tuple[int, int, Action]], code: int) -> None:
    table = {CodeRange(min(pair), max(pair)): Verdict(action) for *pair, action in entries}
    fitting = [key for key in table if key.low <= code <= key.high]
    verdict = decide(close(code), [table])
    if fitting:
        narrowest = min(key.high - key.low for key in fitting)
        assert verdict in [table[key] for key in fitting if key.high - key.low == narrowest]
    else:
        assert verdict == judge(close(code))


def test_every_way_of_writing_a_key_and_a_verdict_is_read() -> None:
    written = {
        Scalar("4401"): Scalar("reauth"),
        Scalar("4000-4099"): Scalar("stop"),
        "5xx": "reconnect",
        529: {Scalar("retry"): Scalar("1m")},
        "1000": "done",
        Scalar("too_big"): "stop",
    }
    assert parse_verdicts(written) == {
        (4401, 4401): Verdict(Action.REAUTH),
        (4000, 4099): Verdict(Action.STOP),
        (500, 599): Verdict(Action.RECONNECT),
        (529, 529): Verdict(Action.RETRY, 60.0),
        (1000, 1000): Verdict(Action.DONE),
        FailureKind.TOO_BIG: Verdict(Action.STOP),
    }
    assert parse_verdicts(parse_verdicts(written)) == parse_verdicts(written)


@pytest.mark.parametrize("action", Action)
def test_every_action_can_be_declared(action: Action) -> None:
    assert judge(close(1000), {"1000": str(action)}) == Verdict(action)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("stop", "verdicts must be a mapping of codes and kinds to verdicts, not 'stop'"),
        ([], "verdicts must be a mapping of codes and kinds to verdicts, not a list"),
        (
            {"44o1": "stop"},
            "'44o1' is neither a code (4401), a range (4000-4099), a class of statuses (5xx) nor a kind",
        ),
        ({"٤٤٠١": "stop"}, "is neither a code"),
        ({"-1": "stop"}, "'-1' is neither a code"),
        ({"44": "stop"}, "'44' is neither a code"),
        ({"6xx": "stop"}, "'6xx' is neither a code"),
        ({"5XX": "stop"}, "'5XX' is neither a code"),
        ({"4099-4000": "stop"}, "'4099-4000' ends before it begins"),
        ({"500-1006": "stop"}, "'500-1006' is neither among HTTP statuses (100-599) nor among close codes (1000-4999)"),
        ({"600": "stop"}, "'600' is neither among HTTP statuses"),
        ({"5000": "stop"}, "'5000' is neither among HTTP statuses"),
        ({"099": "stop"}, "'099' is neither among HTTP statuses"),
        (
            {"4401": "halt"},
            "invalid verdict: 'halt'; it must be one of retry, reconnect, replace, reauth, fresh, done, stop or {retry",
        ),
        ({"4401": "Stop"}, "invalid verdict: 'Stop'"),
        ({"4401": ["stop"]}, "invalid verdict: a list"),
        ({"4401": {"stop": "1s"}}, "a verdict with a value is {retry: DURATION}"),
        ({"4401": {}}, "a verdict with a value is {retry: DURATION}"),
        ({"4401": {"retry": "60"}}, "'60' is not a duration"),
        ({"4401": {"retry": {"a": "hunter2"}}}, "a mapping is not a duration"),
        ({"4401": "stop", "4401-4401": "retry"}, "'4401-4401' names the same codes as a key before it"),
        ({"status": "stop"}, "'status' is neither a code"),
        ({"Dns": "stop"}, "'Dns' is neither a code"),
        ({"500-599": "stop", "5xx": "retry"}, "'5xx' names the same codes as a key before it"),
    ],
)
def test_an_invalid_table_of_verdicts_is_refused_with_what_it_may_be(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_verdicts(value)


def test_what_came_from_the_environment_is_not_quoted() -> None:
    hidden = Scalar("hunter2", redacted="***")
    for value in ({hidden: "stop"}, {"4401": hidden}, {"4401": {"retry": hidden}}, hidden):
        with pytest.raises(ValueError, match=r"\*\*\*") as caught:
            parse_verdicts(value)
        assert "hunter2" not in str(caught.value)


def test_the_schema_names_every_action_and_takes_the_same_keys() -> None:
    schema = TypeAdapter(Verdicts).json_schema()
    ((pattern, verdicts),) = schema["patternProperties"].items()
    kinds = "dns|tcp|tls|certificate|proxy|timeout|keepalive|token|silence|hook|violation|too_big"
    kinds += "|" + "|".join(f"session:{moment}" for moment in MOMENTS)
    assert pattern == rf"^(\d{{3,4}}|\d{{3,4}}-\d{{3,4}}|[1-5]xx|{kinds})$"
    assert verdicts["oneOf"][0]["enum"] == [str(action) for action in Action]
