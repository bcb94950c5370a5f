"""``nostr-relay``: a relay of Nostr, in Python.

Its document: https://github.com/nostr-protocol/nips/blob/master/01.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from tests.processes import Process
from tests.servers.client import dialled
from tests.servers.environment import python_of_servers
from tests.servers.program import HERE, Program

__all__ = ["EVENTS", "NostrRelay"]

EVENTS: list[dict[str, Any]] = json.loads((HERE / "nostr_events.json").read_text())
"""Signed notes, "note 0" and so on, a second apart."""


class NostrRelay(Program):
    """Keeps what is published over a kill."""

    def command(self) -> Sequence[str]:
        python = python_of_servers()
        config = {
            "storage": {
                "sqlalchemy.url": f"sqlite+aiosqlite:///{self.directory}/relay.sqlite3",
                "validators": ["nostr_relay.validators.is_signed"],
            },
            "gunicorn": {"bind": f"127.0.0.1:{self.port}", "workers": 1, "control_socket_disable": True},
            "authentication": {"enabled": False},
        }
        (self.directory / "relay.yaml").write_text(json.dumps(config))  # which is YAML as well
        return [str(python.with_name("nostr-relay")), "-c", "relay.yaml", "serve"]

    def listening(self, process: Process) -> int:
        accepts = any("Connected to" in line for line in process.out)
        found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", process.stderr)
        return int(found[1]) if found and accepts else 0

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"ws://127.0.0.1:{self.port}"

    def publish(self, number: int) -> None:
        """Publish one of ``EVENTS``."""
        with dialled(self.url) as client:
            answer = client.ask(["EVENT", EVENTS[number]])
            assert answer[:3] == ["OK", EVENTS[number]["id"], True], answer
