"""A table of the states on a terminal that redraws itself: ``status --watch``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wscli.cli.feed import follow
from wscli.cli.formatting import consumer_lines, duration, next_step, problem_lines, state_style
from wscli.control.client import ManagerConnection, ask
from wscli.control.selection import Selection
from wscli.control.text import escape
from wscli.errors import WscliError

if TYPE_CHECKING:
    from wscli.control.messages import Lag, Status, StatusAnswer
    from wscli.control.requests import StatusRequest

__all__ = ["Lags", "states_table", "watch_live"]

_REDRAWS = 4
"""A second; a wait that counts down is redrawn as it does."""
_LAGS_EVERY = 1.0
"""Seconds between two requests for the lags of consumers: an acknowledgement changes no state."""


def states_table(instance: str, states: list[Status], own: Sequence[str] = (), *, now: float | None = None) -> Group:
    """Draw the states, and below them a line for each consumer and problem, the manager's ``own`` first."""
    now = time.time() if now is None else now
    drawn = Table(title=Text(escape(instance)), title_justify="left", expand=False)
    for name in ("channel", "state", "for", "reason", "next"):
        drawn.add_column(name, overflow="fold")
    for one in states:
        style = state_style(one["state"])
        cells = (duration(now - one["since"]), one["reason"]["text"], next_step(one, now=now))
        drawn.add_row(
            Text(escape(one["channel"]), style="" if one["critical"] else "dim"),
            Text(one["state"], style=style),
            *(Text(escape(cell)) for cell in cells),
        )
    lines = [Text(f"consumer: {escape(text)}") for text in consumer_lines(states)]
    lines += [Text.assemble(("problem:", "yellow"), " ", escape(text)) for text in problem_lines(states, own)]
    return Group(drawn, *lines)


class Lags:
    """How far the consumers are: ``look`` asks for the states now and then, by ``clock``, while a table is redrawn."""

    def __init__(self, look: Callable[[], list[Status]], clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._looked_at = clock()
        self._consumers: dict[str, dict[str, Lag]] = {}

    def put_into(self, states: Iterable[Status]) -> list[Status]:
        """Give the states with the consumers as they were at the last look, or after a new one."""
        if self._clock() - self._looked_at >= _LAGS_EVERY:
            self._looked_at = self._clock()
            with contextlib.suppress(WscliError):  # a manager that goes is told of by the stream of changes
                self._consumers = {one["channel"]: one.get("consumers", {}) for one in self._look()}
        fresh = self._consumers
        return [{**one, "consumers": fresh[one["channel"]]} if one["channel"] in fresh else one for one in states]


def watch_live(client: ManagerConnection, result: StatusAnswer, names: tuple[str, ...]) -> int:
    """Redraw until interrupted, or until the manager goes."""
    known = {one["channel"]: one for one in result["channels"]}
    selection = Selection(client.instance.name, None)
    request: StatusRequest = {"channels": list(names)}
    lags = Lags(lambda: ask(selection, "status", request, timeout=1.0)["channels"])

    def show(change: Any) -> None:
        if not names or change["channel"] in names:
            known[change["channel"]] = change

    def draw() -> Group:
        return states_table(result["instance"], lags.put_into(list(known.values())), result.get("problems", ()))

    with Live(get_renderable=draw, console=Console(), refresh_per_second=_REDRAWS):
        follow(client, show)
    return 0
