"""The demo's live view: what to try, and every message as it arrives."""

from __future__ import annotations

import os
import signal
import sys
import threading

from wscli.cli.lines import printed
from wscli.cli.printing import note, styled
from wscli.control.client import connect
from wscli.control.selection import Selection
from wscli.control.stream import Stream
from wscli.errors import WscliError

__all__ = ["View"]

JOIN_DEADLINE = 1.0
"""Seconds for what was received to be printed; a stdout that takes nothing must not hold up the end."""


class View:
    """A reader like any other, in a thread: it tails the channels over the control socket."""

    def __init__(self, instance: str, channels: list[str], port: int) -> None:
        self._instance = instance
        self._channels = channels
        self._port = port
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Say what to try, and begin to print."""
        bold = styled("In another terminal:", sys.stderr, bold=True)
        name = self._instance
        sys.stderr.write(
            f"The demo server listens on ws://127.0.0.1:{self._port}/ws; instance {name!r} is up. {bold}\n\n"
            f"  wscli -i {name} status --watch\n"
            f"  wscli -i {name} tail calls --json\n"
            f"  wscli -i {name} connect consultations/42\n"
            f"  wscli -i {name} stats\n\n"
            "Ctrl-C stops it all.\n\n"
        )
        self._thread = threading.Thread(target=self._run, name="demo-view", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for it to end, as it does when the manager goes."""
        if self._thread is not None:
            self._thread.join(JOIN_DEADLINE)

    def _run(self) -> None:
        try:
            with connect(Selection(self._instance)) as client:
                client.request("tail", {"channels": self._channels, "follow": True}, timeout=30.0)
                sock, rest = client.take_over()
                output, sink = printed()
                end = Stream(sock, sink, rest=rest, output=output).run()
        except WscliError as error:
            note(f"the view ended: {error}")
            return
        if end.exit_code == 0:  # nobody reads stdout any more: a demo that nobody sees is over
            os.kill(os.getpid(), signal.SIGTERM)
