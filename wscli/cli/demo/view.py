"""The demo's live view: what to try, and every message as it arrives."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from pathlib import Path

from wscli.cli.printing import note, styled
from wscli.control.client import ask, connect_to
from wscli.control.output import Output
from wscli.control.selection import Selection
from wscli.control.sinks import CopySink, shown_text
from wscli.control.stream import Stream
from wscli.errors import WscliError

__all__ = ["View", "as_typed"]

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue")
JOIN_DEADLINE = 1.0
"""Seconds for what was received to be printed; a stdout that takes nothing must not hold up the end."""


def as_typed(program: str, on_path: str | None) -> str:
    """Give what somebody types to run this program again: ``wscli`` where the shell finds this very one."""
    if Path(program).name != "wscli":  # run by `python -m wscli`
        return "wscli" if on_path else f"{sys.executable} -m wscli"
    return "wscli" if on_path and Path(on_path).samefile(program) else program


class View:
    """A reader like any other, in a thread: it tails the channels over the control socket."""

    def __init__(self, instance: str, channels: list[str], port: int, *, token: str | None = None) -> None:
        """``token`` is the gateway's, to print the address of its status page."""
        self._instance = instance
        self._token = token
        self._channels = channels
        self._port = port
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Say what to try, and begin to print."""
        bold = styled("In another terminal:", sys.stderr, bold=True)
        wscli = f"{as_typed(sys.argv[0], shutil.which('wscli'))} -i {self._instance}"
        sys.stderr.write(
            f"The demo server listens on ws://127.0.0.1:{self._port}/ws; instance {self._instance!r} is up. {bold}\n\n"
            f"  {wscli} status --watch\n"
            f"  {wscli} tail calls --json\n"
            f"  {wscli} connect consultations/42\n"
            f"  {wscli} stats\n\n"
            "Ctrl-C stops it all.\n\n"
        )
        self._thread = threading.Thread(target=self._run, name="demo-view", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for it to end, as it does when the manager goes."""
        if self._thread is not None:
            self._thread.join(JOIN_DEADLINE)

    def painted(self, body: memoryview) -> bytes:
        """Make messages fit for a terminal, each with its channel in a column and a colour of its own."""
        lines = []
        for line in shown_text(body).decode().split("\n"):
            channel, tab, message = line.partition("\t")
            if tab and channel in self._channels:
                place = self._channels.index(channel)
                label = channel.ljust(max(map(len, self._channels)))
                line = f"{styled(label, sys.stdout, fg=_COLOURS[place % len(_COLOURS)])}  {message}"
            lines.append(line)
        return "\n".join(lines).encode()

    def _run(self) -> None:
        try:
            if self._token is not None:
                gateway = ask(Selection(self._instance), "stats").get("gateway") or {}
                for place in gateway.get("listen", ()):
                    note(f"the status page is at http://{place}/#token={self._token}")
            with connect_to(Selection(self._instance)) as client:
                client.request("tail", {"channels": self._channels, "follow": True}, timeout=30.0)
                sock, rest = client.take_over()
                output = Output(sys.stdout.fileno())
                sink = CopySink(output, note, show=self.painted if sys.stdout.isatty() else None)
                end = Stream(sock, sink, rest=rest, output=output).run()
        except WscliError as error:
            note(f"the view ended: {error}")
            return
        if end.exit_code == 0:  # the reader of stdout is gone: end the demo
            os.kill(os.getpid(), signal.SIGTERM)
