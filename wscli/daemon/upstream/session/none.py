"""No session: a connection is ready once it is open, and each channel subscribed as it joins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wscli.daemon.upstream.members.member import Member
from wscli.daemon.upstream.session.seam import AwaitedReply, SessionListener
from wscli.errors import NotSent
from wscli.transport.connection import Connection

__all__ = ["NoSession"]


class NoSession:
    """The session of an attempt without one."""

    __slots__ = ("_connection", "_listener")

    receive: Final = None
    close_code: Final = 1000

    def __init__(self, listener: SessionListener) -> None:
        self._listener = listener
        self._connection: Connection | None = None

    async def prepare(self) -> Mapping[str, Any]:
        """Give no variables."""
        return {}

    def open(self, connection: Connection) -> None:
        """Be ready."""
        self._connection = connection
        self._listener.ready(resumed=False)

    def join(self, member: Member) -> None:
        """Be subscribed."""
        self._listener.subscribed(member, resumed=False)

    def leave(self, member: Member) -> None:
        """Be unsubscribed."""
        self._listener.unsubscribed(member)

    async def send(
        self, member: Member, payload: bytes, *, binary: bool, timeout: float | None, reply: AwaitedReply | None = None
    ) -> int:
        """Send the message as it is; no reply of it is known."""
        if self._connection is None:
            raise NotSent("the channel is not connected")
        await self._connection.send(payload, binary=binary, timeout=timeout)
        return len(payload)

    async def bye(self) -> None:
        """Do nothing."""

    def held(self, *, held: bool) -> None:
        """Do nothing: there are no timers."""

    def end(self) -> None:
        """Do nothing."""
