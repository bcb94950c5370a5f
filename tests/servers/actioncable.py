"""Action Cable of Rails, under puma.

Its document: https://guides.rubyonrails.org/action_cable_overview.html; the protocol is described nowhere but in its
client: https://github.com/rails/rails/blob/main/actioncable/app/javascript/action_cable/connection.js
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence

from tests.e2e.peers.programs import absent
from tests.processes import Process
from tests.servers.program import HERE, HttpProgram

__all__ = ["ActionCable"]


class ActionCable(HttpProgram):
    """The channel ``RoomChannel`` takes a ``room``, refuses ``secret``, and has the action ``echo``.

    A client logs in with ``?token=``, where tokens are set. Orders: ``publish={room, text}``, ``tokens=[...]``,
    ``hold``, ``release``, and ``disconnect=bool``: whether a client shall come back.
    """

    def command(self) -> Sequence[str]:
        puma = shutil.which("puma")
        if puma is None or subprocess.run(["ruby", "-e", 'require "action_cable"'], check=False).returncode:
            absent("puma and ruby-actioncable are not installed")
        address = f"tcp://127.0.0.1:{self.port}"
        return [puma, "--quiet", "-e", "production", "-b", address, str(HERE / "actioncable.ru")]

    def listening(self, process: Process) -> int:
        found = re.search(r"Listening on http://127\.0\.0\.1:(\d+)", "\n".join(process.out))
        return int(found[1]) if found else 0

    @property
    def origin(self) -> tuple[str, str]:
        """The header without which it refuses an upgrade."""
        return "Origin", f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"ws://127.0.0.1:{self.port}/cable"
