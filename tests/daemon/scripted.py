"""A manager whose time is virtual and whose links are scripted: no socket, no clock, no chance."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.daemon.virtual_time import VirtualTime
from wscli.config.dial_plan import DialPlan
from wscli.config.models.upstream import Keepalive
from wscli.config.plan import ChannelPlan, Plan, UpstreamPlan
from wscli.core.backoff import BackoffPolicy
from wscli.core.failures import Failure, FailureKind
from wscli.daemon.channel.channel import Channel
from wscli.daemon.upstream.session.declared import DeclaredSession
from wscli.daemon.upstream.session.seam import MakeSession
from wscli.errors import NotSent, OutcomeUnknown
from wscli.history.limits import HistoryLimits
from wscli.process.run import make_manager
from wscli.templates import compile_path, compile_template
from wscli.tokens.models import TokenSource
from wscli.transport.connection import (
    Connection,
    ConnectionListener,
    DialError,
    DialTarget,
    DialTimeline,
    RenderMessage,
)
from wscli.values import Rate, Secret

REFUSED = Failure(FailureKind.TCP, "connection refused by 192.0.2.1:80")


def status(code: int, **more: Any) -> Failure:
    return Failure(FailureKind.STATUS, f"HTTP {code}", code=code, **more)


def closed(code: int, by: str = "peer") -> Failure:
    return Failure(FailureKind.CLOSE, f"closed by the server: {code}", code=code, by=by)


class ScriptedLink:
    """A link that does what the test says; it counts itself among the server's open connections."""

    adapter = "scripted"
    subprotocol = None

    def __init__(self, server: ScriptedServer, target: DialTarget, listener: ConnectionListener) -> None:
        self.server, self.target, self.listener = server, target, listener
        self.sent: list[tuple[bytes, bool]] = []
        self.open = True
        self.ended: Failure | None = None
        self.deaf = False
        self.hears = asyncio.Event()
        self.clogged = False
        self.full: asyncio.Event | None = None
        """What the sender of a message waits for when it is written, while there is one; the end sets it."""
        self.blocked: asyncio.Event | None = None
        """What a message that waits for its turn waits for, while there is one: the kernel's buffer is full."""
        self.timeout: float | None = None
        """Seconds that the last message was given."""
        self.fails: dict[int, Exception] = {}
        """Which message, counted from 0, is not written, and why."""
        self.reading = True
        self.slow_close = 0.0
        self.pings = 0
        self.closed_with: tuple[int, str] | None = None
        """The code and the reason that it was closed with by us."""

    async def send(self, payload: bytes, *, binary: bool, timeout: float | None = None) -> None:
        if not self.open:
            raise NotSent("the connection is closed")
        if error := self.fails.get(len(self.sent)):
            raise error
        self.sent.append((payload, binary))
        self.server.on_message(self, payload)
        self.timeout = timeout
        if self.full is not None:
            await self.full.wait()
        if not self.open:
            raise OutcomeUnknown("the connection ended")
        if self.clogged:
            raise OutcomeUnknown("the server had not read the message in time")

    async def send_rendered(self, render: RenderMessage, *, timeout: float | None = None) -> None:
        while self.open and self.blocked is not None:
            await self.blocked.wait()
        payload, binary = render() if self.open else (b"", False)
        await self.send(payload, binary=binary, timeout=timeout)

    def try_send(self, render: RenderMessage) -> bool:
        if not self.open:
            raise NotSent("the connection is closed")
        if self.blocked is not None or self.full is not None or self.clogged or self.fails:
            return False
        self.sent.append(render())
        self.server.on_message(self, self.sent[-1][0])
        return True

    async def ping(self) -> float:
        self.pings += 1
        if self.deaf:
            await self.hears.wait()
        return 0.012

    def answer_pings(self) -> None:
        """Answer the pings of before, and those to come."""
        self.deaf = False
        self.hears.set()

    async def close(self, code: int = 1000, reason: str = "", *, deadline: float = 1.0) -> None:
        self.closed_with = (code, reason)
        if self.slow_close:
            done = asyncio.Event()
            timer = self.server.time.schedule(min(self.slow_close, deadline), done.set)
            try:
                await done.wait()
            finally:
                timer.cancel()
        self.end(closed(code, by="us"))

    def abort(self) -> None:
        self.end(closed(1006, by="us"))

    def end(self, failure: Failure) -> None:
        if self.open:
            self.open, self.ended = False, failure
            for event in (self.full, self.blocked):
                if event is not None:
                    event.set()
            self.server.links.remove(self)
            self.listener.on_end(failure)

    def say(self, *messages: str) -> None:
        self.listener.on_batch([message.encode() for message in messages], None)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class ScriptedServer:
    """Answers dials: with a link, or with the next of ``refusals``."""

    def __init__(self, time: VirtualTime) -> None:
        self.time = time
        self.links: list[ScriptedLink] = []
        self.refusals: list[Failure] = []
        self.always: Failure | None = None
        self.dials: list[tuple[float, DialTarget]] = []
        self.hold: asyncio.Future[None] | None = None
        self.most = 0
        self.addresses: tuple[str, ...] = ("192.0.2.1",)
        self.lookups = 0
        self.source = "192.0.2.100"
        """Our address, from which packets to the server come."""
        self.on_open: Callable[[ScriptedLink], None] = lambda link: None
        self.on_message: Callable[[ScriptedLink, bytes], None] = lambda link, payload: None

    async def open_connection(
        self, target: DialTarget, listener: ConnectionListener, timeline: DialTimeline
    ) -> Connection:
        self.dials.append((self.time.now, target))
        timeline.host, timeline.addresses = "api.example.com", self.addresses
        timeline.route = self.source, self.addresses[0]
        if self.hold is not None:
            await asyncio.shield(self.hold)  # shared by several dials, of which one may be given up
        if self.always or self.refusals:
            raise DialError(self.always or self.refusals.pop(0))
        link = ScriptedLink(self, target, listener)
        self.links.append(link)
        self.most = max(self.most, len(self.links))
        self.on_open(link)
        return link

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Give the addresses, as the next dial will find them."""
        assert host == "api.example.com"
        self.lookups += 1
        return self.addresses

    @property
    def link(self) -> ScriptedLink:
        """The one link."""
        (link,) = self.links
        return link


RATE = Rate(1000, 1.0)
"""A connect budget that lets every dial through."""


def channel_plan(name: str = "news", **changes: Any) -> ChannelPlan:
    """A plan without jitter, so that every wait is known: 1, 2, 4, 8, 8 seconds."""
    params = ("id",) if "{id}" in name else ()
    url = "ws://192.0.2.1/ws"
    dial = DialPlan(url=Secret(url), shown_url=url, path=compile_path(f"/{name}"), query={}, headers={})
    keepalive, backoff = Keepalive(ping=20.0, timeout=10.0), BackoffPolicy(initial=1.0, max=8.0, jitter="none")
    upstream = UpstreamPlan(endpoint="api", dial=dial, keepalive=keepalive, verdicts=(), backoff=backoff)
    history, eager = HistoryLimits(), not params
    plan = ChannelPlan(name, params, upstream, history=history, eager=eager, critical=True, linger=0.0)
    return changed(plan, **changes)


def changed(plan: ChannelPlan, **changes: Any) -> ChannelPlan:
    """Replace fields of a channel, of its upstream and of its dial."""
    dial, upstream = (
        {name: changes.pop(name) for name in list(changes) if name in kind.__dataclass_fields__}
        for kind in (DialPlan, UpstreamPlan)
    )
    if dial:
        upstream["dial"] = replace(plan.upstream.dial, **dial)
    return replace(plan, upstream=replace(plan.upstream, **upstream), **changes)


def with_token(plan: ChannelPlan) -> ChannelPlan:
    query = {"token": compile_template("{token.session}", ("token",))}
    return changed(plan, query=query)


class Scripted:
    """A manager, its time, and the server that it meets."""

    def __init__(
        self,
        *plans: ChannelPlan,
        tokens: dict[str, TokenSource] | None = None,
        state: Path | None = None,
        http: Any = None,
        rate: Rate = RATE,
        make_session: MakeSession = DeclaredSession,
        endpoints: tuple[str, ...] = ("api",),
    ) -> None:
        self.time = VirtualTime()
        self.server = ScriptedServer(self.time)
        self.online = True
        self.routes: set[str] | None = None
        """The addresses that routes lead to while it is online; None for all."""
        channels = {plan.name: plan for plan in plans or (channel_plan(),)}
        file = Path("/nonexistent/app.yaml")
        self.plan = Plan("app", file, dict.fromkeys(endpoints, rate), channels=channels, tokens=tokens or {})
        self.manager = make_manager(
            self.plan,
            clock=self.time,
            chance=random.Random(1),
            open_connection=self.server.open_connection,
            reachable=lambda address: self.online and (self.routes is None or address in self.routes),
            schedule=self.time.schedule,
            environ={} if state is None else {"XDG_STATE_HOME": str(state)},
            http=http,
            make_session=make_session,
            resolve_name=self.server.resolve,
            source=lambda address: self.server.source,
        )

    @property
    def channel(self) -> Channel:
        """The channel ``news``."""
        return self.manager.channel("news")

    async def use_once(self) -> None:
        """Use the channel for a moment."""
        with self.channel.use():
            await self.time.settle()

    async def close(self) -> None:
        """Close the manager, and check that it leaves nothing."""
        closing = asyncio.ensure_future(self.manager.close())
        while not closing.done():
            await self.time.advance(1.0)
        await closing
        assert self.server.links == [], "a connection outlived its manager"
        assert self.time.pending == [], "a timer outlived its manager"
        assert len(self.manager.tasks) == 0

    def network(self, online: bool) -> None:
        self.online = online
        self.manager.network_changed()


@asynccontextmanager
async def scripted(*plans: ChannelPlan, **options: Any) -> AsyncIterator[Scripted]:
    """Open a manager on scripted links, and check that it ends with nothing left; ``options`` are of ``Scripted``.

    ``state`` is where it keeps state, ``http`` what it makes HTTP requests with, ``rate`` the connect
    budget of each of ``endpoints``, and ``make_session`` gives each upstream its session.
    """
    it = Scripted(*plans, **options)
    it.manager.open()
    await it.time.settle()
    yield it
    await it.close()
