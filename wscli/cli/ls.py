"""``wscli ls``: the running instances."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

import click

from wscli.cli.options import json_option
from wscli.cli.printing import json_lines, put
from wscli.control.client import ManagerConnection
from wscli.control.paths import Instance, registered
from wscli.control.selection import dial
from wscli.errors import WscliError

if TYPE_CHECKING:
    from wscli.control.messages import Ping

ANSWER_DEADLINE = 2.0
"""Seconds for all managers to answer; one that does not is listed as such."""
_SHORTEST = 0.1
"""Seconds for one of them at least."""


def _facts(instance: Instance, deadline: float) -> Ping | None:
    """Ask a registered manager who it is; None for one that crashed."""
    said: dict[str, Any] = {}
    with contextlib.suppress(WscliError):
        sock = dial(instance, os.environ, patience=_SHORTEST)
        if sock is None:
            return None
        with ManagerConnection(instance, sock) as client:
            said = client.request("ping", timeout=max(deadline - time.monotonic(), _SHORTEST))
    return {
        "version": said.get("version"),
        "instance": instance.name,
        "pid": instance.pid,
        "file": instance.file,
        "uptime_s": said.get("uptime_s"),
        "channels": said.get("channels"),
        "ready": said.get("ready"),
    }


@click.command("ls")
@json_option("One JSON object for each instance.")
def command(as_json: bool) -> int:
    """List the running instances.

    They are looked for in every runtime directory of this user.
    """
    from wscli.cli.tables import instances_text

    deadline = time.monotonic() + ANSWER_DEADLINE
    found = [facts for instance in registered(os.environ) if (facts := _facts(instance, deadline)) is not None]
    put(json_lines(found) if as_json else instances_text(found))
    return 0
