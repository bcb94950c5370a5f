"""What is final only in a row, and when a failed upstream is dialled again."""

from __future__ import annotations

import pytest

from tests.core.steps import POLICY, TCP, close, declared, refused, run, status
from wscli.core import commands as c
from wscli.core import events as e
from wscli.core.backoff import BackoffPolicy, LookAgain
from wscli.core.failures import Failure, FailureKind
from wscli.core.moves import Policy, reason_code
from wscli.core.states import ChannelState

S = ChannelState
CREDENTIALS = [close(4401), status(401), status(403)]


@pytest.mark.parametrize("failure", CREDENTIALS)
def test_credentials_refused_without_a_token_fail_for_authentication_at_the_third(failure: Failure) -> None:
    snapshot, _ = refused(failure, failure, failure)
    assert (snapshot.state, snapshot.next.action) == (S.FAILED, "start")
    assert snapshot.refused_credentials


REFUSALS = [
    *map(status, (302, 400, 401, 403, 405, 410, 426)),
    *map(close, (1002, 1003, 1007, 1008, 1010, 4401)),
    Failure(FailureKind.CERTIFICATE, "expired"),
    Failure(FailureKind.VIOLATION, "reserved bits must be 0", code=1002, by="us"),
    Failure(FailureKind.TOKEN, "invalid_grant", refused=True),
    Failure(FailureKind.PROXY, "407", code=407, refused=True),
]


@pytest.mark.parametrize("failure", REFUSALS, ids=reason_code)
def test_what_may_mend_itself_is_final_only_at_the_third_in_a_row(failure: Failure) -> None:
    twice, commands = refused(failure, failure)
    assert (twice.state, commands[-1]) == (S.WAITING, c.ScheduleRetry(2, 2, 0.0))
    assert refused(failure, snapshot=twice)[0].state is S.FAILED
    between, _ = refused(close(1006), failure, failure, snapshot=twice)
    assert between.state is S.WAITING, "another end in between"
    healthy = e.AttemptEnded(3, failure, healthy_for=10.0)
    assert run(e.RetryDue(2), e.Opened(3), e.HandshakeDone(3), healthy, snapshot=twice)[0].state is S.WAITING


def test_refusals_of_different_kinds_count_together() -> None:
    assert refused(status(302), status(400), close(1002))[0].state is S.FAILED


def test_an_end_that_a_programs_message_may_have_caused_is_never_final() -> None:
    for failure in (close(4401), close(1008), close(1002)):
        assert refused(*[failure] * 5, sent=True)[0].state is S.WAITING
        assert refused(failure, sent=True, policy=declared({"1000-4999": "stop"}))[0].state is S.FAILED


@pytest.mark.parametrize("code", [1008, 3000, 3003])
def test_a_close_that_may_mean_an_expired_token_drops_it(code: int) -> None:
    snapshot, commands = refused(close(code), token=1)
    assert (snapshot.state, commands[1:]) == (S.CONNECTING, [c.ForgetTokens(1), c.DialNext(2)])
    snapshot, commands = refused(close(code), token=2, snapshot=snapshot)
    assert snapshot.state is S.WAITING
    assert (c.ForgetTokens(2) in commands) == (code != 1008), "once, where it may mean something else"
    again, _ = refused(close(1008), token=2, snapshot=refused(close(1008), token=1)[0])
    assert refused(close(1008), token=2, snapshot=again)[0].state is S.FAILED


@pytest.mark.parametrize("failure", [close(4001), close(1006), status(500), status(400)])
def test_a_token_is_suspected_after_three_ends_of_whatever_code_and_once_without_health(failure: Failure) -> None:
    twice, commands = refused(failure, failure, token=1)
    assert not [one for one in commands if isinstance(one, c.ForgetTokens)]
    thrice, commands = refused(failure, token=1, snapshot=twice)
    assert (thrice.state, commands) == (S.CONNECTING, [c.ForgetTokens(3), c.DialNext(4)])
    _, commands = refused(*[failure] * 3, token=2, snapshot=thrice)
    assert not [one for one in commands if isinstance(one, c.ForgetTokens)]


@pytest.mark.parametrize("failure", [TCP, status(503, retry_after=1.0)])
def test_what_says_nothing_of_the_token_does_not_make_it_suspected(failure: Failure) -> None:
    _, commands = refused(*[failure] * 4, token=1)
    assert not [one for one in commands if isinstance(one, c.ForgetTokens)]


def test_a_token_that_was_fetched_meanwhile_is_not_suspected_for_the_one_before() -> None:
    snapshot, _ = refused(close(4001), close(4001), token=1)
    assert refused(close(4001), token=2, snapshot=snapshot)[0].state is S.WAITING


LOOKING = POLICY._replace(look_again=LookAgain(600.0, declared=False))


def test_a_failed_upstream_is_looked_at_again_ever_more_slowly() -> None:
    snapshot, waits = None, []
    for generation in range(1, 14):
        event = e.RetryDue(generation - 1) if snapshot else e.Used()
        ended = e.AttemptEnded(generation, status(410))
        snapshot, commands = run(event, ended, snapshot=snapshot, policy=LOOKING)
        waits += [one.after for one in commands if isinstance(one, c.ScheduleLook)]
        assert (snapshot.state, snapshot.next.action) == (S.FAILED if generation >= 3 else S.WAITING, "retry")
    assert waits == [5.0, 5.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 600.0, 600.0]
    snapshot, _ = run(e.RetryScheduled(13, 600.0, 1600.0), snapshot=snapshot, policy=LOOKING)
    assert snapshot.next == ("retry", 1600.0)
    snapshot, commands = run(e.RetryDue(13), snapshot=snapshot, policy=LOOKING)
    assert (snapshot.reason.text, commands) == ("looking again: HTTP 410", [c.DialNext(14)])


def test_a_failed_upstream_that_no_channel_uses_becomes_idle_instead() -> None:
    snapshot, _ = refused(*[status(410)] * 3, policy=LOOKING)
    assert run(e.RetryDue(3, wanted=False), snapshot=snapshot)[0].state is S.IDLE


@pytest.mark.parametrize("failure", [*CREDENTIALS, *REFUSALS[-2:]], ids=reason_code)
def test_refused_credentials_are_tried_again_no_more_often_than_declared(failure: Failure) -> None:
    snapshot, commands = refused(*[failure] * 3, policy=LOOKING)
    assert commands[-1] == c.ScheduleLook(3, 600.0)
    assert snapshot.refused_credentials


def test_what_the_file_says_is_final_is_looked_at_again_only_where_it_says_that_too() -> None:
    stop = declared({"410": "stop"})
    for policy in (stop, Policy(BackoffPolicy(give_up={"attempts": "1"}))):  # type: ignore[arg-type]
        by_default, declares = LookAgain(600.0, declared=False), LookAgain(60.0, declared=True)
        snapshot, commands = refused(status(410), policy=policy._replace(look_again=by_default))
        assert (snapshot.next.action, commands) == ("start", [c.DialNext(1)])
        snapshot, commands = refused(status(410), policy=policy._replace(look_again=declares))
        assert (snapshot.next.action, commands[-1]) == ("retry", c.ScheduleLook(1, 60.0))
