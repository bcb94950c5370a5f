"""The live feed of the status page: a snapshot, then changes, announcements, and statistics each second."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from wscli.daemon.fanout.socket_writer import SocketWriter, hear
from wscli.daemon.fanout.sources import HistorySource
from wscli.daemon.registry.manager import Manager
from wscli.gateway.clients.channel_feed import ClientFeed, json_frame
from wscli.gateway.clients.closing import STOPPED
from wscli.gateway.clients.keepalive import ClientKeepalive, keepalive_of_clients
from wscli.gateway.clients.parser import ClientParser, close_frame
from wscli.gateway.handshake import Handshake
from wscli.history.encode import text_frame
from wscli.history.records import Batch
from wscli.timing import OneShot, call_later
from wscli.version import __version__

__all__ = ["RECENT", "TICK", "StatusFeed", "StatusSession"]

logger = logging.getLogger("wscli.gateway")

TICK = 1.0
"""Seconds between two frames of statistics."""
_STALL = 10.0
"""Seconds for a page that sent a close frame to take the answer."""
RECENT = 50
"""Past changes in the snapshot."""
_ANNOUNCED = frozenset({"lost", "restored"})
_CHUNK = 1 << 12


class StatusFeed(ClientFeed):
    """The frames for a status page; statistics are made when the socket takes them, so that none pile up."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._changes = HistorySource("changes", manager.changes, manager.changes.seek_last(0))
        super().__init__(self._changes, HistorySource("log", manager.logs["info"], manager.logs["info"].seek_last(0)))
        self._greeting: bytes | None = json_frame(self._snapshot())
        self._due = False

    def tick(self) -> None:
        """Send statistics next."""
        self._due = True

    def _next(self) -> list[bytes] | None:
        if self._greeting is not None:
            greeting, self._greeting = self._greeting, None
            return [greeting]
        if self._due:
            self._due = False
            return [json_frame({"type": "stats", **self._statistics()})]
        for source in self.sources:
            found = source.next()
            if found is None:
                continue
            source.gap, source.cursor = None, found.cursor
            if not isinstance(found.item, Batch):
                return [json_frame(self._snapshot())]  # it missed changes: show the present states
            if source is self._changes:
                return [text_frame(b'{"type":"state","status":%b}' % payload) for payload in found.item.payloads]
            return [frame for payload in found.item.payloads for frame in _announcement(payload)]
        return None

    def _snapshot(self) -> dict[str, Any]:
        manager = self._manager
        return {
            "type": "snapshot",
            "instance": manager.plan.name,
            "version": __version__,
            "status": manager.status(),
            "changes": _recent(manager),
            **self._statistics(),
        }

    def _statistics(self) -> dict[str, Any]:
        return {"stats": self._manager.stats(), "problems": self._manager.problems.texts()}


def _recent(manager: Manager) -> list[Any]:
    """Give the last changes, oldest first."""
    changes = HistorySource("changes", manager.changes, manager.changes.seek_last(RECENT))
    found: list[Any] = []
    while item := changes.next():
        changes.gap, changes.cursor = None, item.cursor
        if isinstance(item.item, Batch):
            found += [json.loads(payload) for payload in item.item.payloads]
    return found[-RECENT:]


def _announcement(payload: bytes) -> list[bytes]:
    record = json.loads(payload)
    if record["event"] not in _ANNOUNCED or record["channel"] is None:
        return []
    keys = {"channel": record["channel"], "event": record["event"], "text": record["message"], "ts": record["ts"]}
    return [json_frame({"type": "announce", **keys})]


class StatusSession:
    """Serves one status page until it leaves."""

    def __init__(self, manager: Manager, handshake: Handshake) -> None:
        self._handshake = handshake
        self._sock = handshake.sock
        self._parser = ClientParser(handshake.protocol, handshake.max_message)
        self._feed = StatusFeed(manager)
        self._writer = SocketWriter(self._sock, self._feed, clock=manager.clock)
        self._keepalive = ClientKeepalive(
            self._sock,
            self._writer,
            ping=self._feed.ping,
            times=lambda: keepalive_of_clients(manager.plan.gateway),
            listening=lambda: True,
            dead=self._drop,
        )
        self._timer, self._last_call = OneShot(call_later), OneShot(call_later)

    async def run(self) -> None:
        """Serve; the caller closes the socket."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sock, self._hear)
        self._timer.start(TICK, self._tick)
        self._keepalive.start()
        try:
            await self._writer.run()
        except asyncio.CancelledError:
            self._writer.last_words([close_frame(*STOPPED)])
            raise
        finally:
            loop.remove_reader(self._sock)
            self._keepalive.stop()
            self._timer.cancel()
            self._last_call.cancel()

    def _tick(self) -> None:
        self._feed.tick()
        self._writer.wake()
        self._timer.start(TICK, self._tick)

    def _drop(self, within: str) -> None:
        logger.info("a status page is dropped: no pong within %s", within)
        self._handshake.drop()
        self._writer.end()

    def _hear(self) -> None:
        """Answer pings and the close frame; ignore messages."""
        if (data := hear(self._sock, _CHUNK)) is None:
            return
        if not data:
            self._writer.end()
            return
        self._keepalive.heard()
        arrived = self._parser.receive(data)
        if arrived.pong is not None:
            self._feed.pong(arrived.pong)
        if arrived.close is not None:
            self._feed.close(arrived.close)
            self._last_call.start(_STALL, self._writer.end)
        self._writer.wake()
