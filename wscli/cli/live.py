"""A table of the states on a terminal that redraws itself: ``status --watch``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wscli.cli.feed import follow
from wscli.cli.words import duration, next_step, problems, state_style
from wscli.control.client import Client
from wscli.control.escape import escape

if TYPE_CHECKING:
    from wscli.control.messages import States, Status

__all__ = ["states_table", "watch_live"]

_REDRAWS = 4
"""A second; a wait that counts down is redrawn as it does."""


def states_table(instance: str, states: list[Status], own: Sequence[str] = (), *, now: float | None = None) -> Group:
    """Draw the states, and below them a line for each problem, the manager's ``own`` first."""
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
    lines = [Text.assemble(("problem:", "yellow"), " ", escape(text)) for text in problems(states, own)]
    return Group(drawn, *lines)


def watch_live(client: Client, result: States, names: tuple[str, ...]) -> int:
    """Redraw until interrupted, or until the manager goes."""
    known = {one["channel"]: one for one in result["channels"]}

    def take(change: Any) -> None:
        if not names or change["channel"] in names:
            known[change["channel"]] = change

    def draw() -> Group:
        return states_table(result["instance"], list(known.values()), result.get("problems", ()))

    with Live(get_renderable=draw, console=Console(), refresh_per_second=_REDRAWS):
        follow(client, take)
    return 0
