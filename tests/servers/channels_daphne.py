"""Django Channels under daphne: an application's own JSON, and no session protocol at all.

Its documents: https://channels.readthedocs.io and https://github.com/django/daphne
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.processes import Process
from tests.servers.environment import python_of_servers
from tests.servers.program import HERE, HttpProgram

__all__ = ["ChannelsDaphne"]


class ChannelsDaphne(HttpProgram):
    """``/ws/ROOM/?token=TOKEN``; orders: ``publish={room, text}``, ``tokens=[...]``, ``hold``, ``release``."""

    def command(self) -> Sequence[str]:
        program = f"import sys; sys.path.insert(0, {str(HERE)!r}); from daphne.cli import CommandLineInterface as it; "
        arguments = ["daphne", "-v", "1", "-b", "127.0.0.1", "-p", str(self.port), "channels_app:application"]
        return [str(python_of_servers()), "-c", program + f"sys.argv = {arguments!r}; it.entrypoint()"]

    def listening(self, process: Process) -> int:
        found = re.search(r"Listening on TCP address 127\.0\.0\.1:(\d+)", process.stderr)
        return int(found[1]) if found else 0

    @property
    def origin(self) -> tuple[str, str]:
        """The header without which it refuses an upgrade."""
        return "Origin", f"http://127.0.0.1:{self.port}"

    def url(self, room: str) -> str:
        """Where a room is."""
        return f"ws://127.0.0.1:{self.port}/ws/{room}/"
