"""The hook ``on_connect``: its command runs on each new connection, which is ready once that is done."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from wscli.config.models.hooks import ConnectHook
from wscli.control.protocol import split_block
from wscli.daemon.channel.channel import Channel
from wscli.daemon.hooks.report import HookReport
from wscli.errors import WscliError
from wscli.transport.connection import Connection

__all__ = ["OnConnect", "RunOnConnect"]

RunOnConnect = Callable[[ConnectHook, bytes, int, bytearray], Awaitable[str | None]]
"""Runs the command for an event and a connection's number, fills its output, and gives the text of a failure."""


class OnConnect:
    """Runs the command of a channel, and sends each line that it prints; a failure fails the connection.

    While it runs, ``connection`` gives the connection by the number that the command was told.
    """

    def __init__(self, channel: Channel, plan: ConnectHook, run: RunOnConnect, report: HookReport) -> None:
        self.plan = plan
        self._channel = channel
        self._run = run
        self._report = report
        self._count = 0
        self._connections: dict[int, Connection] = {}
        channel.on_connect = self

    def update(self, plan: ConnectHook) -> None:
        """Run the plan's command from the next connection on."""
        self.plan = plan
        self._report.clear()

    def end(self) -> None:
        """Prepare no more connections."""
        self._channel.on_connect = None
        self._report.clear()

    def connection(self, number: int) -> Connection | None:
        """Give the connection of a command that still runs."""
        return self._connections.get(number)

    async def __call__(self, connection: Connection) -> str | None:
        """Prepare a connection; give the text of a failure, or None."""
        self._count += 1
        number, counts = self._count, self._report.counts
        self._connections[number] = connection
        counts.runs += 1
        counts.running += 1
        try:
            wrong = await self._prepare(connection, number)
        finally:
            counts.running -= 1
            del self._connections[number]
        if wrong is None:
            self._report.mended("run")
            return None
        counts.failures += 1
        self._report.state("run", wrong)
        return f"on_connect: {wrong}"

    async def _prepare(self, connection: Connection, number: int) -> str | None:
        successor = self._channel.subscription.successor is not None
        event = {**self._channel.status(), "connection": number, "successor": successor}
        plan, output = self.plan, bytearray()
        wrong = await self._run(plan, json.dumps(event, separators=(",", ":")).encode() + b"\n", number, output)
        if wrong is not None:
            return wrong
        for place, line in enumerate(split_block(bytes(output), "line"), 1):
            try:
                line.decode()  # RFC 6455, section 5.6: a text message is UTF-8
                await connection.send(line, binary=False, timeout=plan.timeout)
            except UnicodeDecodeError:
                return f"line {place} of its output is not UTF-8"
            except WscliError as error:
                return f"line {place} of its output was not sent: {error.message}"
            self._channel.counters.count_sent(len(line))
        return None
