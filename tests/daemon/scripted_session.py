"""A session that does what the test says: ``scripted(..., make_session=(sessions := ScriptedSessions()).make)``.

A channel is subscribed by its name, and a message ``NAME TEXT`` is that channel's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.daemon.scripted import Scripted, channel_plan, scripted
from wscli.config.plan import ChannelPlan
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.daemon.channel.channel import Channel
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.members.member import Member
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session.seam import AwaitedReply, SessionListener, SessionOwner
from wscli.session.actions import Deliver
from wscli.templates import compile_path
from wscli.transport.connection import Connection

REFUSED = Failure(FailureKind.SESSION, "no such room", moment="subscribe")


class ScriptedSession:
    """The session of one attempt."""

    close_code = 4000

    def __init__(self, sessions: ScriptedSessions, record: AttemptRecord, listener: SessionListener) -> None:
        self.sessions, self.record, self.listener = sessions, record, listener
        self.connection: Connection | None = None
        self.joining: dict[str, Member] = {}
        self.subscribed: dict[str, Member] = {}
        self.leaving: dict[str, Member] = {}
        self.said: list[str] = []
        """What the server was told, such as ``sub news``."""
        self.early: list[bytes] = []
        """Messages of channels that are not subscribed yet."""
        self.held_for: list[bool] = []
        self.greeted = self.ended = False

    @property
    def receive(self) -> Any:
        return self._received

    def _received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        for payload in payloads:
            name = payload.decode().partition(" ")[0]
            member = self.subscribed.get(name) or self.leaving.get(name)
            if member is not None:
                self.listener.deliver(member, Deliver(member, [payload], None), lambda number: None)
            else:
                self.early.append(payload)

    async def prepare(self) -> Mapping[str, Any]:
        self.listener.progressed("http GET ticket")
        return await self.sessions.prepare()

    def open(self, connection: Connection) -> None:
        self.connection = connection
        if self.sessions.hello:
            self.ready()

    def ready(self) -> None:
        self.greeted = True
        self.listener.ready(resumed=self.sessions.resumed)

    def join(self, member: Member) -> None:
        assert not self.ended
        assert member.name not in self.joining, "subscribed twice"
        assert member.name not in self.subscribed, "subscribed twice"
        assert member.name not in self.leaving, "subscribed before it was unsubscribed"
        self.said.append(f"sub {member.name}")
        self.joining[member.name] = member
        if self.sessions.subscribe:
            self.accept(member.name)

    def accept(self, name: str, *, resumed: bool = False) -> None:
        member = self.subscribed[name] = self.joining.pop(name)
        self.listener.subscribed(member, resumed=resumed)
        early, self.early = self.early, []
        self._received(early, None)

    def refuse(self, name: str, verdict: Verdict | None = None, failure: Failure = REFUSED) -> None:
        member = self.joining.pop(name, None) or self.subscribed.pop(name)
        self.listener.refused(member, verdict, failure)

    def leave(self, member: Member) -> None:
        assert not self.ended
        was = self.joining.pop(member.name, None) or self.subscribed.pop(member.name)
        assert was is member
        self.said.append(f"unsub {member.name}")
        self.leaving[member.name] = member
        if self.sessions.unsubscribe:
            self.let_go(member.name)

    def let_go(self, name: str) -> None:
        self.listener.unsubscribed(self.leaving.pop(name))

    async def send(
        self, member: Member, payload: bytes, *, binary: bool, timeout: float | None, reply: AwaitedReply | None = None
    ) -> int:
        assert self.connection is not None
        assert self.subscribed[member.name] is member
        await self.connection.send(payload, binary=binary, timeout=timeout)
        return len(payload)

    async def bye(self) -> None:
        self.said.append("bye")
        if self.sessions.byes is not None:
            await self.sessions.byes.wait()

    def held(self, *, held: bool) -> None:
        self.held_for.append(held)

    def end(self) -> None:
        self.ended = True


class ScriptedSessions:
    """The session of one upstream, or of several; ``made`` has those of every attempt."""

    def __init__(self, *, hello: bool = True, subscribe: bool = True, unsubscribe: bool = True) -> None:
        """``hello``, ``subscribe`` and ``unsubscribe`` say whether the server answers each at once."""
        self.hello, self.subscribe, self.unsubscribe = hello, subscribe, unsubscribe
        self.resumed = False
        self.byes: asyncio.Event | None = None
        """What ``bye`` waits for."""
        self.made: list[ScriptedSession] = []
        self.forgotten: list[str] = []
        """``*``, or the names of channels."""

    def make(self, owner: SessionOwner, services: Services) -> ScriptedSessions:
        return self

    async def prepare(self) -> Mapping[str, Any]:
        return {}

    def attempt(self, record: AttemptRecord, listener: SessionListener) -> ScriptedSession:
        self.made.append(made := ScriptedSession(self, record, listener))
        return made

    def forget(self) -> None:
        self.forgotten.append("*")

    def forget_channel(self, member: Member) -> None:
        self.forgotten.append(member.name)

    @property
    def open(self) -> list[ScriptedSession]:
        """Those whose connection is open."""
        return [one for one in self.made if one.connection is not None and not one.ended]

    @property
    def last(self) -> ScriptedSession:
        return self.made[-1]


STOP, DONE, RETRY, RECONNECT, REAUTH, FRESH = (
    Verdict(Action(name)) for name in ("stop", "done", "retry", "reconnect", "reauth", "fresh")
)


def shared(name: str, **changes: Any) -> ChannelPlan:
    return channel_plan(name, **{"path": compile_path("/all"), "share": True, **changes})


@asynccontextmanager
async def two(
    sessions: ScriptedSessions | None = None, **changes: Any
) -> AsyncIterator[tuple[Scripted, Channel, Channel, ScriptedSessions]]:
    """A manager of the channels ``news`` and ``calls``, which share an upstream with a session."""
    sessions = sessions or ScriptedSessions()
    async with scripted(shared("news", **changes), shared("calls", **changes), make_session=sessions.make) as it:
        yield it, it.channel, it.manager.channel("calls"), sessions
