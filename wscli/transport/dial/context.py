"""The context of one dial: its target, its listener, and the step in progress."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from wscli.core.events import Failure, FailureKind
from wscli.net.tls import TlsSettings, make_tls
from wscli.transport.connection import ConnectionListener, DialError, DialTarget, DialTimeline
from wscli.transport.dial.address import ServerAddress, TargetUrl
from wscli.transport.dial.request import request_headers

__all__ = ["DialContext", "no_upgrade"]


class DialContext:
    """What the steps of one dial share; it records each step in the timeline.

    Raises:
        DialError: a header of the target's cannot be sent.

    """

    def __init__(
        self, target: DialTarget, url: TargetUrl, listener: ConnectionListener, timeline: DialTimeline
    ) -> None:
        self.target = target
        self.url = url
        self.listener = listener
        self.timeline = timeline
        self.headers = request_headers(target, url)
        self.tls = (target.tls or make_tls(TlsSettings())) if url.secure else None
        self.tls_options: dict[str, Any] = {}
        if self.tls is not None:
            self.tls_options = {
                "server_hostname": target.server_name or url.server.host,
                "ssl_handshake_timeout": target.timeout + 60.0,  # the dial's deadline is earlier
                "ssl_shutdown_timeout": 1.0,
            }
        self.peer = url.server
        """The other side of the current step: the server, or its proxy."""
        self.step = ""
        self._time = asyncio.get_running_loop().time
        self._began = 0.0
        self.begin("proxy")

    def begin(self, step: str, peer: ServerAddress | None = None) -> None:
        """Begin a step, with another peer if one is given."""
        self.step = step
        self.peer = peer or self.peer
        self._began = self._time()

    def done(self, detail: str) -> None:
        """Record that the current step succeeded."""
        self.timeline.add(self.step, self._time() - self._began, detail)

    def failed(self, detail: str) -> None:
        """Record that the current step failed."""
        self.timeline.add(self.step, self._time() - self._began, detail, ok=False)

    def amend(self, step: str, detail: str) -> None:
        """Replace the detail of the last step of that name."""
        steps = self.timeline.steps
        for at in range(len(steps) - 1, -1, -1):
            if steps[at].name == step:
                steps[at] = replace(steps[at], detail=detail)
                return


def no_upgrade(dial: DialContext, text: str) -> DialError:
    """Make the error of an answer that is not an upgrade."""
    return DialError(Failure(FailureKind.UPGRADE, f"{dial.peer.where} {text}"))
