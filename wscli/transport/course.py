"""The course of one dial: what is dialled, for whom, which step is under way, and since when."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

from wscli.config.models.upstream import TlsPlan
from wscli.transport.address import Address, Place
from wscli.transport.link import Listener, Target, Timeline
from wscli.transport.request import request_headers
from wscli.transport.tls import make_tls

__all__ = ["Course"]


class Course:
    """What the steps of one dial share; it keeps the timeline: a step begins, and is done or failed.

    Raises:
        DialError: a header of the target's cannot be sent.

    """

    def __init__(self, target: Target, address: Address, listener: Listener, timeline: Timeline) -> None:
        self.target = target
        self.address = address
        self.listener = listener
        self.timeline = timeline
        self.headers = request_headers(target, address)
        self.tls: ssl.SSLContext | None = None
        if address.secure:
            self.tls = target.tls or make_tls(TlsPlan())
        self.server_name = target.server_name or address.place.host
        self.place = address.place
        """Who the step is with: the server, or its proxy."""
        self.step = ""
        self._time = asyncio.get_running_loop().time
        self._began = 0.0
        self.begin("proxy")

    def begin(self, step: str, place: Place | None = None) -> None:
        """Note that a step begins, with whom if that is another than before."""
        self.step = step
        self.place = place or self.place
        self._began = self._time()

    def done(self, detail: str) -> None:
        """Note that the step under way succeeded, and what it found."""
        self.timeline.add(self.step, self._time() - self._began, detail)

    def failed(self, detail: str) -> None:
        """Note that the step under way failed."""
        self.timeline.add(self.step, self._time() - self._began, detail, ok=False)

    def amend(self, step: str, detail: str) -> None:
        """Tell more of the last step of that name: some details are known only later."""
        steps = self.timeline.steps
        for at in range(len(steps) - 1, -1, -1):
            if steps[at].name == step:
                steps[at] = replace(steps[at], detail=detail)
                return
