"""RabbitMQ with Web STOMP.

Its documents: https://stomp.github.io/stomp-specification-1.2.html, https://www.rabbitmq.com/docs/stomp and
https://www.rabbitmq.com/docs/web-stomp
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.e2e.peers.programs import absent
from tests.processes import Process
from tests.servers.program import Program

__all__ = ["RabbitMq"]

_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one in the path changes its user


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


class RabbitMq(Program):
    """A node of its own; ``port`` is that of Web STOMP, and guest may log in."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._names = str(_free_port())
        """The port of the daemon that knows which nodes run on this machine; it outlives them."""

    def __exit__(self, *exc: object) -> None:
        super().__exit__()
        if epmd := shutil.which("epmd"):
            subprocess.run([epmd, "-port", self._names, "-kill"], capture_output=True, check=False)

    def command(self) -> Sequence[str]:
        if not _PROGRAM.exists():
            absent("rabbitmq-server is not installed")
        self.port = self.port or _free_port()
        (self.directory / "plugins").write_text("[rabbitmq_web_stomp].")
        (self.directory / "rabbitmq.conf").write_text(
            "listeners.tcp = none\nstomp.listeners.tcp = none\nlog.console = true\nlog.file = false\n"
            f"web_stomp.tcp.ip = 127.0.0.1\nweb_stomp.tcp.port = {self.port}\n"
        )
        return [str(_PROGRAM)]

    def environment(self) -> Mapping[str, str]:
        own = {
            "ENABLED_PLUGINS_FILE": "plugins",
            "CONFIG_FILE": "rabbitmq.conf",
            "MNESIA_BASE": "mnesia",
            "LOG_BASE": "log",
        }
        return {
            **os.environ,
            **{f"RABBITMQ_{name}": str(self.directory / file) for name, file in own.items()},
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_NODENAME": "test@localhost",
            "RABBITMQ_DIST_PORT": str(_free_port()),
            "ERL_EPMD_PORT": self._names,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "HOME": str(self.directory),
        }

    def listening(self, process: Process) -> int:
        return self.port if any("Server startup complete" in line for line in process.out) else 0

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"ws://127.0.0.1:{self.port}/ws"
