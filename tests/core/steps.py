"""What the tests of an upstream's machine share: failures, policies, and the snapshots that events lead to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wscli.core import commands as c
from wscli.core import events as e
from wscli.core.backoff import BackoffPolicy
from wscli.core.failures import Failure, FailureKind
from wscli.core.machine import step
from wscli.core.moves import Policy
from wscli.core.states import ChannelState, Snapshot
from wscli.core.verdicts import parse_verdicts

POLICY = Policy(BackoffPolicy())
TCP = Failure(FailureKind.TCP, "connection refused")


def close(code: int | None, **more: Any) -> Failure:
    return Failure(FailureKind.CLOSE, f"closed by the server: {code}", code=code, by="peer", **more)


def status(code: int, **more: Any) -> Failure:
    return Failure(FailureKind.STATUS, f"HTTP {code}", code=code, **more)


def declared(verdicts: Mapping[Any, Any]) -> Policy:
    """A policy with these verdicts, as a file says them."""
    return Policy(BackoffPolicy(), (parse_verdicts(verdicts),))


def run(
    *events: e.UpstreamEvent, snapshot: Snapshot | None = None, policy: Policy = POLICY
) -> tuple[Snapshot, list[Any]]:
    """Apply events, to a new upstream or to ``snapshot``, and give the next snapshot with all commands."""
    snapshot, commands = snapshot or Snapshot(), []
    for event in events:
        snapshot, more = step(snapshot, event, policy)
        commands += more
    return snapshot, commands


def ready() -> Snapshot:
    return run(e.Used(), e.Opened(1), e.HandshakeDone(1))[0]


def rotating() -> Snapshot:
    return run(e.RotationDue(1), snapshot=ready())[0]


def refused(
    *failures: Failure, snapshot: Snapshot | None = None, policy: Policy = POLICY, token: int = 0, sent: bool = False
) -> tuple[Snapshot, list[Any]]:
    """End an attempt with each of the failures in turn, starting the next one where the upstream waits."""
    after, commands = snapshot or run(e.Used())[0], [] if snapshot else [c.DialNext(1)]
    for failure in failures:
        due = [e.RetryDue(after.generation)] if after.state is ChannelState.WAITING else []
        after, _ = run(*due, snapshot=after)
        ended = e.AttemptEnded(after.generation, failure, token=token, sent=sent)
        after, more = run(ended, snapshot=after, policy=policy)
        commands += more
    return after, commands
