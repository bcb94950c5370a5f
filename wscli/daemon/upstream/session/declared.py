"""The declared session of an upstream, through all of its connections."""

from __future__ import annotations

from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.members.member import Member
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session.none import NoSession
from wscli.daemon.upstream.session.runner import SessionRunner
from wscli.daemon.upstream.session.seam import ConnectionSession, SessionListener, SessionOwner
from wscli.net.scrub import forms_of
from wscli.session.engine.memory import Memory
from wscli.session.engine.session import RunningSession

__all__ = ["DeclaredSession"]


class DeclaredSession:
    """Makes the session of each attempt, and keeps what outlives a connection.

    Where the upstream is not shared, what it keeps lives with the history of its one channel.
    """

    __slots__ = ("_memory", "_owner", "_services")

    def __init__(self, owner: SessionOwner, services: Services) -> None:
        self._owner = owner
        self._services = services
        self._memory: Memory | None = None

    def attempt(self, record: AttemptRecord, listener: SessionListener) -> ConnectionSession:
        """Make the session of an attempt, by the plan of now."""
        plan = self._owner.plan
        if plan.session is None:
            return NoSession(listener)
        scope = {"param": self._owner.params, "with": self._owner.values}
        services = self._services
        # A server may repeat what it was sent.
        record.keepers += (lambda: tuple(forms_of(plan.dial.secrets)),)
        session = RunningSession(
            plan.session, self._remembered(), scope, self._owner.refs, services.clock, services.chance,
            shared=plan.share, max_message=plan.dial.max_message,
        )  # fmt: skip
        return SessionRunner(session, self._owner, services, record, listener)

    def forget(self) -> None:
        """Forget what the session could be resumed with, and what its channels keep."""
        if self._owner.plan.session is None:
            return
        self._remembered().forget()
        for member in self._owner.subscribers.members:
            self.forget_channel(member)
            member.subscriber.keep({"var": {}})

    def forget_channel(self, member: Member) -> None:
        """Forget what one channel keeps."""
        member.kept.clear()
        member.subscriber.keep({"sub": {}})

    def _remembered(self) -> Memory:
        if self._memory is None:
            members = () if self._owner.plan.share else self._owner.subscribers.members
            self._memory = Memory(members[0].subscriber.kept.get("var") if members else None)
        return self._memory
