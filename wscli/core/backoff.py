"""The backoff policy, and the waits that tenacity draws from it."""

from __future__ import annotations

import random
import re
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from tenacity import RetryCallState, Retrying
from tenacity.stop import stop_after_attempt, stop_after_delay
from tenacity.wait import wait_exponential

from wscli.values import Count, Duration, StrictModel, shown

__all__ = [
    "BackoffPolicy", "GiveUpAfter", "GiveUpAttempts", "LookAgain", "delay_for", "gives_up", "longest_delay",
    "look_after",
]  # fmt: skip

FIRST_LOOK = 5.0
"""Least seconds before a failed upstream is dialled again, where ``look_again`` is not shorter."""


class GiveUpAttempts(StrictModel):
    """Give up after so many attempts in a row without health."""

    attempts: Annotated[Count, Field(ge=1)]


class GiveUpAfter(StrictModel):
    """Give up after so long without health."""

    after: Annotated[Duration, Field(gt=0)]


_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]+)?")


def _parse_multiplier(text: object) -> float:
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)
    if not _NUMBER.fullmatch(str(text)):
        raise ValueError(f"{shown(text)} is not a number")
    return float(str(text))


Multiplier = Annotated[float, BeforeValidator(_parse_multiplier), WithJsonSchema({"type": "number", "minimum": 1})]


class BackoffPolicy(StrictModel):
    """How long to wait before the next attempt, and when to give up."""

    initial: Annotated[Duration, Field(gt=0, description="the first wait, before jitter")] = 0.5
    multiplier: Annotated[Multiplier, Field(ge=1, description="each wait is this many times the last")] = 2.0
    max: Annotated[Duration, Field(gt=0, description="no wait is longer, before jitter")] = 30.0
    jitter: Annotated[
        Literal["full", "none"],
        Field(description="full: drawn evenly from zero to the wait, also at the maximum; none: exactly the wait"),
    ] = "full"
    reset_after: Annotated[Duration, Field(description="a connection healthy for this long starts the waits anew")] = (
        10.0
    )
    give_up: Annotated[
        Literal["never"] | GiveUpAttempts | GiveUpAfter,
        Field(description="never, {attempts: N} in a row, or {after: DURATION} without health"),
    ] = "never"

    @model_validator(mode="after")
    def _ordered(self) -> BackoffPolicy:
        if self.initial > self.max:
            raise ValueError("initial is longer than max; no wait could ever be drawn from it")
        return self


class LookAgain(NamedTuple):
    """Dial a failed upstream again after a while."""

    every: float
    """The longest wait, in seconds."""
    declared: bool
    """Whether the file declares it; only then is it dialled again after a declared ``stop`` or a ``give_up``."""


def _call_state(attempt: int, without_health: float = 0.0) -> RetryCallState:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    state.start_time, state.outcome_timestamp = 0.0, without_health  # tenacity looks at their difference alone
    return state


def longest_delay(policy: BackoffPolicy, attempt: int) -> float:
    """Seconds to wait after ``attempt`` attempts (one or more) in a row without health, without jitter."""
    exponential = wait_exponential(multiplier=policy.initial, max=policy.max, exp_base=policy.multiplier)
    return float(exponential(_call_state(attempt)))


def delay_for(policy: BackoffPolicy, attempt: int, chance: random.Random) -> float:
    """Seconds to wait after ``attempt`` attempts (one or more) in a row without health.

    Jitter is drawn from ``chance``, evenly from zero to the whole wait: tenacity's own random waits draw from the
    global ``random``, and its exponential jitter adds nothing once the cap is reached, so that a thousand channels at
    the cap would return together.
    """
    wait = longest_delay(policy, attempt)
    return wait if policy.jitter == "none" else chance.uniform(0.0, wait)


def look_after(policy: BackoffPolicy, attempt: int, every: float) -> float:
    """Seconds until a failed upstream is dialled again: the waits go on growing, from a few seconds up to ``every``."""
    base = max(2.0, policy.multiplier)  # a policy of equal waits grows as well here
    wait = wait_exponential(multiplier=policy.initial, max=every, exp_base=base, min=min(FIRST_LOOK, every))
    return float(wait(_call_state(attempt)))


def gives_up(policy: BackoffPolicy, attempt: int, without_health: float) -> bool:
    """Whether ``attempt`` attempts in a row, or ``without_health`` seconds since the last health, are enough."""
    match policy.give_up:
        case GiveUpAttempts(attempts=attempts):
            return stop_after_attempt(attempts)(_call_state(attempt))
        case GiveUpAfter(after=seconds):
            return stop_after_delay(seconds)(_call_state(attempt, without_health))
        case _:
            return False
