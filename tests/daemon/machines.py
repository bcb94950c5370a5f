"""State machines of hypothesis whose rules run in an event loop of the machine's own."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

__all__ = ["LoopMachine", "in_loop"]


class LoopMachine(RuleBasedStateMachine):
    """Between two rules no time passes and no task runs, unless a rule says so."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the loop."""
        return self.loop.run_until_complete(work)


def in_loop(rule: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Make a rule of a coroutine function: it runs in the machine's loop."""

    @functools.wraps(rule)
    def run(self: LoopMachine, *args: Any, **kwargs: Any) -> Any:
        return self.do(rule(self, *args, **kwargs))

    return run
