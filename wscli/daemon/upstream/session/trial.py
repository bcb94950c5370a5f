"""A connection that is opened beside the present one, to see how far it gets, and closed at once: ``doctor --dial``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from wscli.config.plan import UpstreamPlan
from wscli.core.failures import Failure, Verdict
from wscli.daemon.upstream.dial.dialer import CLOSE_DEADLINE, AttemptRecord, DialRequest
from wscli.daemon.upstream.members.member import Member, Subscriber
from wscli.daemon.upstream.members.subscribers import Subscribers
from wscli.daemon.upstream.refs import Refs
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session.declared import DeclaredSession
from wscli.daemon.upstream.session.seam import SessionFailed
from wscli.session.actions import Deliver
from wscli.tokens.errors import TokenFailed
from wscli.transport.connection import DialError

__all__ = ["try_dial"]


@dataclass(slots=True)
class _Owner:
    """An upstream without channels, which remembers nothing."""

    plan: UpstreamPlan
    params: Mapping[str, str]
    values: Mapping[str, Any]
    refs: Refs = field(default_factory=Refs)
    subscribers: Subscribers = field(default_factory=Subscribers)


@dataclass(slots=True)
class _Applicant:
    """What a session sees of the channel that it subscribes; nothing that it keeps is kept."""

    name: str
    params: Mapping[str, str]
    values: Mapping[str, Any]
    critical: bool = True
    dedupe: None = None
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)

    def keep(self, kept: Mapping[str, Mapping[str, Any]]) -> None: ...


class _Trial:
    """Listens to the connection and to its session until it is known how far they got."""

    def __init__(self, record: AttemptRecord) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.receive: Callable[[list[bytes], bytes | None], None] | None = None
        self.subscribe: Callable[[], None] = lambda: None
        """Called once the session is open."""
        self._record = record

    def _end(self, failure: Failure | None) -> None:
        if not self.over.done():
            self._record.failure = failure
            self.over.set_result(None)

    # ConnectionListener

    def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
        if self.receive is not None and not self.over.done():
            self.receive(payloads, kinds)

    def on_end(self, failure: Failure) -> None:
        self._end(self._record.scrubbed(failure))

    # SessionListener

    def ready(self, *, resumed: bool) -> None:
        self.subscribe()

    def judged(self, verdict: Verdict | None, failure: Failure) -> None:
        self._end(failure)

    def subscribed(self, member: Member, *, resumed: bool) -> None:
        self._end(None)

    def refused(self, member: Member, verdict: Verdict | None, failure: Failure) -> None:
        self._end(failure)

    def progressed(self, text: str) -> None: ...
    def subscribing(self, member: Member, text: str) -> None: ...
    def unsubscribed(self, member: Member) -> None: ...
    def deliver(self, member: Member, delivery: Deliver, logged: Callable[[int], None]) -> None: ...
    def gap(self, member: Member, reason: str, missed: int | None) -> None: ...


async def try_dial(services: Services, request: DialRequest, channel: Member) -> AttemptRecord:
    """Dial, log in, subscribe as a channel does, close, and give the record of the attempt.

    It runs ``before``, ``hello`` and ``subscribe`` of a session, never ``resume``: what the upstream and the channel
    keep is left alone.
    """
    record = AttemptRecord(started=services.clock.wall())
    trial = _Trial(record)
    owner = _Owner(request.plan, request.params, request.values)
    applicant = _Applicant(channel.name, channel.params, channel.values)
    member = Member(cast("Subscriber", applicant), channel.plan, joined=True)
    owner.subscribers.members.append(member)
    session = DeclaredSession(owner, services).attempt(record, trial)
    trial.subscribe = lambda: session.join(member)
    trial.receive = session.receive
    try:
        asked = replace(request, prepare=session.prepare)
        connection = await services.dialer.dial(asked, trial, record, lambda code, text: None)
        try:
            session.open(connection)
            await trial.over
        finally:
            session.end()
            try:
                await connection.close(session.close_code, deadline=CLOSE_DEADLINE)
            finally:
                connection.abort()  # without effect on one that is closed
    except (DialError, TokenFailed, SessionFailed) as error:
        record.failure = error.failure
    finally:
        session.end()
    return record
