"""Chromium's DevTools: a browser that is told what to do over WebSockets, which HTTP names.

Its document: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from tests.e2e.peers.programs import Chromium, absent
from tests.processes import Process
from tests.servers.program import HttpProgram

__all__ = ["Devtools"]


class Devtools(HttpProgram):
    """One browser with one page; after a restart both have other ids, on the same port.

    ``http`` gives what it says at ``/json/version`` and ``/json/list``; it takes no orders.
    """

    def command(self) -> Sequence[str]:
        program = shutil.which("chromium-headless-shell")
        if program is None:
            absent("chromium-headless-shell is not installed")
        profile = self.directory / "profile"
        shutil.rmtree(profile, ignore_errors=True)
        flags = [flag for flag in Chromium.FLAGS if not flag.startswith("--remote-debugging-port")]
        port = f"--remote-debugging-port={self.port}"
        return [program, *flags, port, f"--user-data-dir={profile}", "about:blank"]

    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "HOME": str(self.directory)}

    def listening(self, process: Process) -> int:
        found = re.search(r"DevTools listening on ws://127\.0\.0\.1:(\d+)/", process.stderr)
        return int(found[1]) if found else 0

    def page(self) -> dict[str, Any]:
        """Give its one page, as ``/json/list`` says it."""
        pages: list[dict[str, Any]] = [one for one in self.http("/json/list") if one["type"] == "page"]
        return pages[0]
