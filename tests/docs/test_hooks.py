"""docs/hooks.md names what hooks are given and what they count."""

from __future__ import annotations

from pathlib import Path

from wscli.config.models.hooks import MessageHook
from wscli.daemon.hooks.command import environment
from wscli.daemon.hooks.events import MOST_CHANGES
from wscli.daemon.hooks.report import HookCounts

PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text()


def test_every_variable_and_every_count_is_documented() -> None:
    names = [*environment({}, channel="calls", instance="app", hook="on_state"), *HookCounts().as_dict()]
    assert [name for name in names if f"| `{name}` |" not in PAGE] == []


def test_the_limits_that_it_names_are_those_that_hold() -> None:
    plan = MessageHook(exec=("true",))
    assert (plan.parallel, plan.timeout, MOST_CHANGES) == (1, 10.0, 64)
    assert "At most 64 changes" in PAGE
