"""Aligned text tables of what the manager reports."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wscli.cli.formatting import consumer_lines, counted, duration, next_step, problem_lines, size, state_style
from wscli.cli.printing import styled
from wscli.control.text import escape

if TYPE_CHECKING:
    from wscli.control.messages import ChannelStats, Ping, Stats, Status, TokenStats

__all__ = ["instances_text", "stats_text", "states_text", "table", "tokens_text"]


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], paint: Callable[[int, str], str | None] | None = None
) -> str:
    """Align columns; every cell is escaped. ``paint`` gives the colour of a cell from its column and text."""
    lines = [tuple(head), *(tuple(escape(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = []
    for number, line in enumerate(lines):
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        cells[-1] = line[-1]
        if number == 0:
            cells = [styled(cell, sys.stdout, bold=True) for cell in cells]
        elif paint is not None:
            colours = [paint(column, line[column]) for column in range(len(cells))]
            cells = [styled(cell, sys.stdout, fg=colour) for cell, colour in zip(cells, colours, strict=True)]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text) + "\n"


def _paint_state(column: int, text: str) -> str | None:
    return state_style(text) if column == 1 else None


def states_text(channels: Sequence[Status], own: Sequence[str] = (), *, now: float | None = None) -> str:
    """Show the states, each with its reason and its next step; below them a line for each consumer and problem.

    ``own`` are the manager's problems; each channel has its own.
    """
    now = time.time() if now is None else now
    rows = [
        (
            one["channel"],
            one["state"],
            duration(now - one["since"]),
            "yes" if one["critical"] else "no",
            one["reason"]["text"],
            next_step(one, now=now),
        )
        for one in channels
    ]
    lines = [f"consumer: {escape(text)}\n" for text in consumer_lines(channels)]
    lines += [
        f"{styled('problem:', sys.stdout, fg='yellow')} {escape(text)}\n" for text in problem_lines(channels, own)
    ]
    return table(("CHANNEL", "STATE", "FOR", "CRITICAL", "REASON", "NEXT"), rows, _paint_state) + "".join(lines)


def stats_text(stats: Stats) -> str:
    """Show the counters: a line on the instance, the channels, the tokens."""
    connections = f"{stats['connections']['active']} of {stats['connections']['total']} connections open"
    if unrouted := stats["connections"].get("unrouted"):  # a manager of an earlier version counts none
        connections += f", {counted(unrouted, 'message')} unrouted"
    parts = [f"{escape(stats['instance'])}: pid {stats['pid']}, up {duration(stats['uptime_s'])}, {connections}\n"]
    if stats["channels"]:
        head = ("CHANNEL", "STATE", "RECEIVED", "", "SENT", "", "CONNECTS", "RTT", "READERS", "HISTORY", "LAST CLOSE")
        rows = [_stats_row(name, one) for name, one in stats["channels"].items()]
        parts.append(table(head, rows, _paint_state))
    if stats["tokens"]:
        parts.append(tokens_text(stats["tokens"]))
    return "\n".join(parts)


def _stats_row(name: str, one: ChannelStats) -> tuple[str, ...]:
    first, last = one["history"]["first"], one["history"]["last"]
    close = one["last_close"]
    return (
        name,
        one["state"],
        str(one["received"]),
        size(one["received_bytes"]),
        str(one["sent"]),
        size(one["sent_bytes"]),
        str(one["connects"]),
        "-" if one["rtt_s"] is None else duration(one["rtt_s"]),
        str(one["readers"]),
        f"{first}..{last}" if first <= last else "-",
        "-" if close is None else f"{close['code']} {close['reason']} by {close['by']}".replace("  ", " "),
    )


def tokens_text(tokens: dict[str, TokenStats]) -> str:
    """Show the tokens, without a value."""
    rows = [
        (
            name,
            one["state"],
            "-" if one["expires_in_s"] is None else duration(one["expires_in_s"]),
            str(one["fetches"]),
            str(one["served"]),
            _token_failure(one),
        )
        for name, one in tokens.items()
    ]
    return table(("TOKEN", "STATE", "EXPIRES IN", "FETCHES", "SERVED", "LAST FAILURE"), rows)


def _token_failure(one: TokenStats) -> str:
    reason, left = one.get("reason"), one.get("retry_in_s")  # a manager of an earlier version has neither
    if reason is None:
        return "-"
    return reason if left is None else f"{reason}; asked again in {duration(left)}"


def instances_text(instances: Sequence[Ping]) -> str:
    """Show the running instances."""
    rows = [
        (
            one["instance"],
            str(one["pid"]),
            "-" if one["uptime_s"] is None else duration(one["uptime_s"]),
            "not answering" if one["channels"] is None else f"{one['ready']} of {one['channels']} ready",
            one["file"],
        )
        for one in instances
    ]
    return table(("INSTANCE", "PID", "UP", "CHANNELS", "FILE"), rows)
