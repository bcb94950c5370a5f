"""The backoff policy: how long, how spread, and when it is enough."""

from __future__ import annotations

import random
import statistics
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from wscli.core.backoff import BackoffPolicy, GiveUpAfter, GiveUpAttempts, delay_for, gives_up
from wscli.values import Scalar


def policy(**fields: Any) -> BackoffPolicy:
    return BackoffPolicy.model_validate(fields)


def delays(the_policy: BackoffPolicy, attempts: int) -> list[float]:
    return [delay_for(the_policy, attempt, random.Random(1)) for attempt in range(1, attempts + 1)]


def test_the_defaults_are_those_of_the_contract() -> None:
    assert BackoffPolicy() == policy(
        initial="500ms", multiplier="2", max="30s", jitter="full", reset_after="10s", give_up="never"
    )


def test_without_jitter_each_wait_is_a_multiple_of_the_last_up_to_the_maximum() -> None:
    assert delays(policy(jitter="none"), 9) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert delays(policy(jitter="none", multiplier="1"), 3) == [0.5, 0.5, 0.5]
    assert delays(policy(jitter="none", multiplier="1.5", initial="2s", max="2s"), 3) == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("attempt", [1, 3, 50])
def test_full_jitter_is_drawn_evenly_from_nothing_to_the_whole_wait_also_at_the_maximum(attempt: int) -> None:
    """A thousand channels at the cap must not return together."""
    chance = random.Random(5)
    whole = delay_for(policy(jitter="none"), attempt, chance)
    drawn = [delay_for(BackoffPolicy(), attempt, chance) for _ in range(2000)]
    assert 0.0 <= min(drawn) < 0.02 * whole
    assert 0.98 * whole < max(drawn) <= whole
    assert statistics.fmean(drawn) == pytest.approx(whole / 2, rel=0.05)
    quarters = [sum(low <= delay / whole * 4 < low + 1 for delay in drawn) for low in range(4)]
    assert all(430 < count < 570 for count in quarters)


def test_chance_is_a_parameter_and_nothing_else_is_drawn_from() -> None:
    before = random.getstate()
    assert delays(BackoffPolicy(), 20) == delays(BackoffPolicy(), 20)
    assert random.getstate() == before


@settings(max_examples=300)
@given(
    attempt=st.integers(1, 10**9),
    initial=st.floats(0.001, 100.0),
    more=st.floats(0.0, 1e6),
    multiplier=st.floats(1.0, 1e6),
    jitter=st.sampled_from(["full", "none"]),
)
def test_no_wait_is_longer_than_the_maximum_after_however_many_attempts(
    attempt: int, initial: float, more: float, multiplier: float, jitter: str
) -> None:
    the_policy = policy(initial=initial, max=initial + more, multiplier=multiplier, jitter=jitter)
    delay = delay_for(the_policy, attempt, random.Random(attempt))
    assert 0.0 <= delay <= the_policy.max
    if jitter == "none":
        assert delay >= initial * 0.999999


def test_it_gives_up_never_or_after_so_many_attempts() -> None:
    assert not gives_up(BackoffPolicy(), 10**9, 1e9)
    the_policy = policy(give_up={"attempts": Scalar("3")})
    assert the_policy.give_up == GiveUpAttempts(attempts=3)
    assert [gives_up(the_policy, attempt, 1e9) for attempt in (1, 2, 3, 4)] == [False, False, True, True]


@given(st.floats(0.001, 1e8))
def test_it_gives_up_after_so_long_to_the_moment(seconds: float) -> None:
    the_policy = policy(give_up={"after": seconds})
    assert isinstance(the_policy.give_up, GiveUpAfter)
    assert gives_up(the_policy, 1, seconds)
    assert not gives_up(the_policy, 10**6, seconds * 0.999999)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"initial": "40s"}, "initial is longer than max"),
        ({"initial": "0s"}, "greater than 0"),
        ({"max": "0s"}, "greater than 0"),
        ({"multiplier": "0.5"}, "greater than or equal to 1"),
        ({"multiplier": "fast"}, "'fast' is not a number"),
        ({"multiplier": "nan"}, "'nan' is not a number"),
        ({"multiplier": "inf"}, "'inf' is not a number"),
        ({"multiplier": "1_0"}, "'1_0' is not a number"),
        ({"multiplier": "9" * 400}, "is not a number"),
        ({"multiplier": True}, "True is not a number"),
        ({"jitter": "some"}, "'full' or 'none'"),
        ({"give_up": "soon"}, "never"),
        ({"give_up": {"attempts": "0"}}, "greater than or equal to 1"),
        ({"give_up": {"after": "0s"}}, "greater than 0"),
        ({"give_up": {}}, "Field required"),
        ({"give_up": {"attempts": "1", "after": "1s"}}, "Extra inputs"),
        ({"tries": "3"}, "Extra inputs"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        policy(**fields)
    assert said in str(caught.value)


def test_an_unreadable_multiplier_from_the_environment_is_not_quoted() -> None:
    with pytest.raises(ValidationError) as caught:
        policy(multiplier=Scalar("hunter2", redacted="***"))
    assert "hunter2" not in str(caught.value)


def test_the_schema_describes_every_key() -> None:
    properties = TypeAdapter(BackoffPolicy).json_schema()["properties"]
    assert all(described.get("description") for described in properties.values()), properties
