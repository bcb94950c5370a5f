"""An instance that clients can find, as that of a manager which is up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from wscli.config.plan import Plan
from wscli.process import ownership

__all__ = ["own"]


@contextmanager
def own(plan: Plan, environ: Mapping[str, str]) -> Iterator[ownership.Ownership]:
    """Own the instance of a plan, and publish it."""
    with ownership.own(plan, environ) as owned:
        owned.publish()
        yield owned
