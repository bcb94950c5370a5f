"""A manager without connections, for tests of the socket and of its handlers: every state is set by the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from wscli.clock import SystemClock
from wscli.core.states import SETTLED, ChannelState
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.refs import Refs
from wscli.errors import AuthError, ChannelUnavailable, UnknownChannel, WscliError
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History
from wscli.problems import Problems
from wscli.tasks import Tasks
from wscli.values import Secret


class FakeChannel:
    def __init__(self, name: str, *, critical: bool = True) -> None:
        self.name = name
        self.state = ChannelState.READY
        self.removed = False
        self.problems = Problems(name)
        self.refs = Refs()
        self.readers = 0
        self.refused_credentials = False
        dial = SimpleNamespace(shown_url="wss://example.com/ws")
        self.plan = SimpleNamespace(critical=critical, upstream=SimpleNamespace(dial=dial))
        self.subscription = SimpleNamespace(last_attempt=None)
        self.history = History(HistoryLimits(), clock=SystemClock())
        self.backpressure = None
        self.snapshot = SimpleNamespace(reason=SimpleNamespace(text="so it was set"))
        self.uses = 0
        self.steps: list[str] = []
        self.sent: list[tuple[bytes, bool]] = []
        self.send_fails: dict[int, WscliError] = {}
        """Which message, counted from 0, fails how."""
        self.send_blocks: asyncio.Event | None = None
        self.send_blocked = 0
        """How many messages wait for it, or did."""
        self.changed = asyncio.Condition()

    @contextmanager
    def use(self) -> Iterator[None]:
        self.uses += 1
        try:
            yield
        finally:
            self.uses -= 1

    async def become(self, state: ChannelState) -> None:
        async with self.changed:
            self.state = state
            self.changed.notify_all()

    async def wait_for(self, states: Any) -> ChannelState:
        async with self.changed:
            await self.changed.wait_for(lambda: self.state in states)
        return self.state

    def unavailable(self) -> WscliError | None:
        if self.removed:
            return UnknownChannel(f"channel {self.name!r} was removed")
        if self.state not in SETTLED:
            return None
        kind = AuthError if self.refused_credentials else ChannelUnavailable
        return kind(f"channel {self.name!r} is {self.state}: so it was set", f"`wscli start {self.name}`")

    async def send(self, payload: bytes | Callable[[], bytes], *, binary: bool, timeout: float) -> None:
        if self.send_blocks is not None:
            self.send_blocked += 1
            await self.send_blocks.wait()
        if error := self.send_fails.get(len(self.sent)):
            raise error
        self.sent.append((payload if isinstance(payload, bytes) else payload(), binary))

    def start(self) -> None:
        self.steps.append("start")
        self.state = ChannelState.CONNECTING

    def stop(self) -> None:
        self.steps.append("stop")
        self.state = ChannelState.STOPPED

    def restart(self) -> None:
        self.steps.append("restart")
        self.state = ChannelState.CONNECTING

    def pause(self) -> None:
        self.steps.append("pause")
        self.state = ChannelState.PAUSED

    def resume(self) -> None:
        self.steps.append("resume")
        self.state = ChannelState.CONNECTING

    def status(self) -> dict[str, Any]:
        return {
            "channel": self.name,
            "state": str(self.state),
            "since": 1764000000.0,
            "reason": {"code": "set", "text": "so it was set"},
            "next": {"action": "none", "at": None},
            "critical": self.plan.critical,
            "attempt": 1,
            "consumers": {},
            "problems": self.problems.texts(),
        }

    def stats(self) -> dict[str, Any]:
        return {
            "state": str(self.state),
            "since": 1764000000.0,
            "critical": self.plan.critical,
            "received": 17,
            "received_bytes": 3400,
            "sent": len(self.sent),
            "sent_bytes": sum(len(payload) for payload, _ in self.sent),
            "connects": 2,
            "reconnects": 1,
            "rtt_s": 0.012,
            "readers": self.readers,
            "history": {"first": 1, "last": 17},
            "last_close": {"code": 1006, "reason": "", "by": "peer"},
            "retry_in_s": None,
            "problems": self.problems.texts(),
        }


class FakeBroker:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.fails: WscliError | None = None

    def _token(self, name: str) -> Any:
        if self.fails is not None:
            raise self.fails
        return SimpleNamespace(value=Secret("s3cret"), version=len(self.calls), expires_at=None)

    async def get(self, name: str) -> Any:
        self.calls.append(("get", name))
        return self._token(name)

    async def refresh(self, name: str) -> Any:
        self.calls.append(("refresh", name))
        return self._token(name)

    def forget(self, name: str) -> None:
        self.calls.append(("forget", name))

    def stats(self) -> dict[str, Any]:
        return {"session": {"state": "valid", "expires_in_s": 240.0, "fetches": 1, "served": 12}}


class FakeManager:
    def __init__(self, *names: str) -> None:
        self.clock = SystemClock()
        self.started = self.clock.monotonic()
        self.plan: Any = SimpleNamespace(
            name="app",
            file=Path("/nowhere/app.yaml"),
            channels={"rooms/{id}": SimpleNamespace(params=("id",))},
            tokens={"session": None},
        )
        self.known = {name: FakeChannel(name, critical=name != "calls") for name in names or ("notifications", "calls")}
        self.broker = FakeBroker()
        self.changes = History(HistoryLimits(), clock=self.clock)
        self.log = History(HistoryLimits(), clock=self.clock)
        self.stopping = asyncio.Event()
        self.reloading = nullcontext
        self.tasks = Tasks()
        self.problems = Problems()

    def channels(self) -> list[FakeChannel]:
        return list(self.known.values())

    def channel(self, name: str) -> FakeChannel:
        if name not in self.known:
            raise UnknownChannel(f"no channel {name!r} in instance 'app'", "`wscli status` lists the channels")
        return self.known[name]

    def select(self, names: list[str]) -> list[FakeChannel]:
        return [self.channel(name) for name in names] or self.channels()

    def noncritical(self) -> list[FakeChannel]:
        return [channel for channel in self.channels() if not channel.plan.critical]

    async def dial_once(self, channel: FakeChannel) -> AttemptRecord:
        return AttemptRecord(started=self.clock.wall())

    def status(self, names: list[str]) -> list[dict[str, Any]]:
        return [channel.status() for channel in self.select(names)]

    def stats(self, names: list[str]) -> dict[str, Any]:
        return {
            "schema": 1,
            "instance": "app",
            "pid": 4711,
            "uptime_s": 3600.5,
            "connections": {"active": 1, "total": 2},
            "channels": {channel.name: channel.stats() for channel in self.select(names)},
            "tokens": self.broker.stats(),
            "problems": self.problems.texts(),
        }
