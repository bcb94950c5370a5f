"""``wscli status``: the states of the channels, with the reason and the next step."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from wscli.cli.options import channels_argument, json_option, with_instance
from wscli.cli.printing import json_lines, note, put
from wscli.control.client import ManagerConnection, connect_to
from wscli.control.selection import Selection
from wscli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from wscli.control.messages import StatusAnswer
    from wscli.control.requests import StatusRequest

_FINE = ("ready", "idle", "done")


def _shown(result: StatusAnswer, *, as_json: bool, line: bool) -> str:
    states = result["channels"]
    if as_json:
        return json_lines(states)
    if line:
        from wscli.cli.formatting import status_line

        return status_line(result["instance"], states, result.get("problems", ())) + "\n"
    from wscli.cli.tables import states_text

    return states_text(states, result.get("problems", ()))


def _watch(
    client: ManagerConnection, result: StatusAnswer, names: tuple[str, ...], *, as_json: bool, line: bool
) -> int:
    if not as_json and not line and sys.stdout is not None and sys.stdout.isatty():
        from wscli.cli.live import watch_live

        return watch_live(client, result, names)
    from wscli.cli.feed import follow
    from wscli.cli.formatting import change_line

    known = {one["channel"]: one for one in result["channels"]}
    plain = not as_json and not line
    said = "".join(map(change_line, known.values())) if plain else _shown(result, as_json=as_json, line=line)
    put(said)

    def show(change: Any) -> None:
        if names and change["channel"] not in names:
            return
        nonlocal said
        known[change["channel"]] = change
        before = said
        if plain:
            said = change_line(change, time.time())
        else:
            shown = [change] if as_json else list(known.values())
            said = _shown({**result, "channels": shown}, as_json=as_json, line=line)
        if not line or said != before:  # a change that the line does not show prints nothing
            put(said)

    follow(client, show)
    return 0


@click.command("status")
@with_instance
@channels_argument(required=False)
@json_option("One JSON object for each channel.")
@click.option("--line", is_flag=True, help="One line for all, for prompts and status bars.")
@click.option("--watch", is_flag=True, help="Show the states, then every change, until interrupted.")
@click.option("--check", is_flag=True, help="Exit with 8 unless every critical channel is ready, idle or done.")
def command(
    selection: Selection, channels: tuple[str, ...], as_json: bool, line: bool, watch: bool, check: bool
) -> int:
    """Show the states, with the reason and the next step.

    Without CHANNEL: all of them. --watch redraws a table on a terminal; elsewhere it prints a line for each change.
    """
    if as_json and line:
        raise UsageError("--json and --line exclude each other", "give one of them")
    if watch and check:
        raise UsageError("--watch and --check exclude each other", "`wscli wait CHANNEL` blocks until it is ready")
    with connect_to(selection) as client:
        request: StatusRequest = {"channels": list(channels), "watch": watch}
        result: StatusAnswer = client.request("status", request, timeout=30.0)
        if as_json:  # the objects have room for what is wrong with a channel, not with the manager
            for problem in result.get("problems", ()):
                note(f"problem: {problem}")
        if watch:
            return _watch(client, result, channels, as_json=as_json, line=line)
    put(_shown(result, as_json=as_json, line=line))
    fine = all(one["state"] in _FINE for one in result["channels"] if one["critical"])
    return ExitCode.CHANNEL_UNAVAILABLE if check and not fine else ExitCode.OK
