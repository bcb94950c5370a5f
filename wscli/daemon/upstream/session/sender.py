"""Lets messages out over one connection: the session's before those of programs, as ``limits.send`` allows."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from wscli.daemon.upstream.services import Services
from wscli.errors import NotSent, OutcomeUnknown
from wscli.session.engine.outgoing import LetOut, OutgoingMessage
from wscli.timing import OneShot
from wscli.transport.connection import Connection
from wscli.values import format_duration

__all__ = ["SendingSession", "SessionSender"]


class SendingSession(Protocol):
    """What the sender asks of a session."""

    def wait_to_send(self, message: OutgoingMessage) -> float:
        """Give the seconds until a message is allowed."""

    def let_out(self, message: OutgoingMessage) -> LetOut:
        """Render a message that is written next."""


class SessionSender:
    """A message is rendered as it is written, in the same turn where nothing waits.

    Args:
        session: whose messages they are.
        services: the schedule, and the owner of tasks.
        carry_out: carries out the actions that letting a message out causes.
        not_sent: called with a message of the session's own that was not written.
    """

    def __init__(
        self,
        session: SendingSession,
        services: Services,
        carry_out: Callable[[Sequence[Any]], None],
        not_sent: Callable[[OutgoingMessage], None],
    ) -> None:
        self._session = session
        self._tasks = services.tasks
        self._carry_out = carry_out
        self._not_sent = not_sent
        self._connection: Connection | None = None
        self._own: deque[OutgoingMessage] = deque()
        self._programs: deque[tuple[OutgoingMessage, asyncio.Future[None]]] = deque()
        """Messages of programs, each with a future that is done once it is its turn."""
        self._writing: asyncio.Task[None] | None = None
        """Waits until the connection takes the first message."""
        self._busy = False
        """Whether a program's message is being written."""
        self._timer = OneShot(services.schedule)
        self._over = False

    def open(self, connection: Connection) -> None:
        """Begin."""
        self._connection = connection
        self.let_out()

    def end(self) -> None:
        """Stop at once: what waits is not sent."""
        self._over = True
        self._timer.cancel()
        self._own.clear()
        if self._writing is not None:
            self._writing.cancel()
        for _, turn in self._programs:
            if not turn.done():
                turn.set_result(None)

    def add(self, message: OutgoingMessage) -> None:
        """Let out a message of the session's own; that of a rule or a timer goes before its steps'."""
        at = sum(one.urgent for one in self._own) if message.urgent else len(self._own)
        self._own.insert(at, message)
        self.let_out()

    async def send(self, message: OutgoingMessage, *, timeout: float | None) -> int:
        """Let out a program's message, and give the size of what was written in bytes.

        Raises:
            NotSent: nothing was written until then, or it cannot be rendered.
            OutcomeUnknown: the connection ended, or the time was up, after the message was handed over.
        """
        if self._over:
            raise NotSent("the connection ended")
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        await self._turn(message, timeout)
        size, caused = 0, list[Any]()

        def render() -> tuple[bytes, bool]:
            nonlocal size
            payload, binary, actions = self._rendered(message)
            caused.extend(actions)
            size = len(payload)
            return payload, binary

        connection = self._connection
        try:
            if self._over or connection is None:
                raise NotSent("the connection ended")
            await connection.send_rendered(render, timeout=None if end is None else max(0.0, end - loop.time()))
        except NotRendered as error:
            caused.extend(error.actions)
            raise
        finally:
            self._busy = False
            if not self._over:
                self._carry_out(caused)
                self.let_out()
        return size

    async def _turn(self, message: OutgoingMessage, timeout: float | None) -> None:
        if self._is_free and not self._session.wait_to_send(message):
            self._busy = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = message, turn
        self._programs.append(entry)
        self.let_out()
        try:
            async with asyncio.timeout(timeout):
                await turn
        except BaseException as error:
            if entry in self._programs:
                self._programs.remove(entry)
            elif not turn.cancelled():  # it came in the same moment
                self._busy = False
                self.let_out()
            if not isinstance(error, TimeoutError):
                raise
            within = format_duration(timeout or 0.0)
            raise NotSent(f"messages before it, or 'limits.send' of the session, took longer than {within}") from None

    @property
    def _is_free(self) -> bool:
        waits = self._own or self._programs or self._busy or self._writing is not None
        return not waits and not self._over and self._connection is not None

    def let_out(self) -> None:
        """Write what may be written now."""
        while not self._over and self._connection is not None and self._writing is None and not self._busy:
            if not self._own and not self._programs:
                return
            message = self._own[0] if self._own else self._programs[0][0]
            wait = self._session.wait_to_send(message)
            if wait > 0:
                self._timer.start(wait, self.let_out)
                return
            self._timer.cancel()
            if self._own:
                self._write_own(self._connection, self._own.popleft())
            else:
                _, turn = self._programs.popleft()
                if not turn.done():
                    self._busy = True
                    turn.set_result(None)

    def _write_own(self, connection: Connection, message: OutgoingMessage) -> None:
        caused: list[Any] = []

        def render() -> tuple[bytes, bool]:
            payload, binary, actions = self._rendered(message)
            caused.extend(actions)
            return payload, binary

        try:
            if not connection.try_send(render):
                self._own.appendleft(message)
                self._writing = self._tasks.spawn(self._write_later(connection), name="send")
                return
        except NotRendered as error:
            caused.extend(error.actions)
        except NotSent:
            self._not_sent(message)
        self._carry_out(caused)

    async def _write_later(self, connection: Connection) -> None:
        """Write the first message once the kernel has taken those before it."""
        caused: list[Any] = []
        message: OutgoingMessage | None = None

        def render() -> tuple[bytes, bool]:
            nonlocal message
            message = self._own.popleft()
            payload, binary, actions = self._rendered(message)
            caused.extend(actions)
            return payload, binary

        try:
            await connection.send_rendered(render)
        except NotRendered as error:
            caused.extend(error.actions)
        except (NotSent, OutcomeUnknown):  # the connection ended
            if message is not None:
                self._not_sent(message)
        finally:
            self._writing = None
        if not self._over:
            self._carry_out(caused)
            self.let_out()

    def _rendered(self, message: OutgoingMessage) -> tuple[bytes, bool, Sequence[Any]]:
        rendered = self._session.let_out(message)
        if rendered.payload is None:
            raise NotRendered(rendered.problem, rendered.actions)
        return rendered.payload, rendered.binary, rendered.actions


class NotRendered(NotSent):
    """A message could not be rendered; the caller must carry out ``actions``."""

    def __init__(self, problem: str, actions: Sequence[Any]) -> None:
        super().__init__(problem or "the message was given up")
        self.actions = actions
