"""The demo back end in a running event loop: ``async with DemoServer(port=0) as demo``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Self

from aiohttp import web

from wscli.clock import Clock, SystemClock
from wscli.demo.admin import ORDERING, Order, admin_routes
from wscli.demo.app import Backend
from wscli.demo.controls import Controls
from wscli.demo.counters import Dial, PathCount, Received
from wscli.demo.listener import HOST, Listener
from wscli.demo.options import DemoOptions

__all__ = ["DemoServer"]


class DemoServer(Controls):
    """A back end on loopback, its controls, and what it saw.

    Options are those of ``DemoOptions``, by name. Every task it starts ends with it.
    """

    def __init__(self, options: DemoOptions | None = None, *, clock: Clock | None = None, **changes: Any) -> None:
        self.options = replace(options or DemoOptions(), **changes)
        super().__init__(Backend(self.options, clock or SystemClock()))
        self._tasks: set[asyncio.Task[None]] = set()
        self._returning: asyncio.Task[None] | None = None
        app = web.Application()
        app.add_routes([*self._backend.routes(), *admin_routes(self._orders())])
        # a handler ends with its connection: a silent one reads nothing that would tell it
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        self._listener: Listener | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.

        """
        self._listener = Listener(self._runner, self.options.port)
        await self._runner.setup()
        await self._listener.open()
        if self.options.interval is not None:
            self._own(self._backend.notifications.run(self.options.interval))
        if self.options.calls is not None:
            self._own(self._backend.calls.run())

    async def stop(self) -> None:
        """Close every connection with 1001, and the port."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()
        self._backend.faults.unhang(None)
        await self.kick(code=1001)
        self._drop_connections()
        await self._runner.cleanup()

    # What it saw

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._listener is None:
            raise RuntimeError("the back end was not started")
        return self._listener.port

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        """``ws://127.0.0.1:PORT/ws``: what an endpoint's ``url`` is; channels append their path."""
        return f"ws://{HOST}:{self.port}/ws"

    @property
    def token_requests(self) -> int:
        """Requests to ``/ws-token``, refused ones included."""
        return self._backend.desk.requests

    @property
    def dials(self) -> list[Dial]:
        """Requests for an upgrade, refused ones included; dials that found nobody listening are not seen."""
        return list(self._backend.counters.dials)

    @property
    def messages(self) -> list[Received]:
        """What clients sent, the last 100,000."""
        return list(self._backend.counters.messages)

    @property
    def connections(self) -> PathCount:
        """Connections of all paths together: total, now, peak."""
        return self._backend.counters.all

    def connections_at(self, path: str) -> PathCount:
        """Connections of one path."""
        return self._backend.counters.of(path)

    def most_dials_within(self, seconds: float) -> int:
        """Count the most dials in any window of so many seconds."""
        return self._backend.counters.most_dials_within(seconds)

    async def until(self, predicate: Callable[[], bool], timeout: float = 10.0) -> None:
        """Return once the predicate holds, such as ``lambda: demo.connections.now == 3``; TimeoutError otherwise."""
        await self._backend.counters.until(predicate, timeout)

    # Orders beyond those of a back end: they concern the port, or last

    async def refuse(self, seconds: float | None = None) -> dict[str, Any]:
        """Be gone: drop all connections and refuse dials, for ``seconds`` or until ``come_back``."""
        if self._listener is not None:
            await self._listener.shut()
        self._drop_connections()
        if self._returning is not None:
            self._returning.cancel()
        self._returning = None if seconds is None else self._own(self._return_after(seconds))
        return {}

    async def come_back(self) -> dict[str, Any]:
        """Listen again, at the same port."""
        if self._returning is not None and self._returning is not asyncio.current_task():
            self._returning.cancel()
        self._returning = None
        if self._listener is not None:
            await self._listener.open()
        return {}

    async def ring(self, scenario: str = "answered") -> dict[str, Any]:
        """Let a call ring now, and return; the scenario (answered, missed, cancelled) plays on by itself.

        Raises:
            ValueError: there is no such scenario, or the line is busy.

        """
        self._own(self._backend.calls.ring(scenario))
        return {}

    async def _return_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.come_back()

    def _drop_connections(self) -> None:
        server, ordering = self._runner.server, ORDERING.get()
        for connection in server.connections if server is not None else ():
            if connection.transport is not None and (ordering is None or connection is not ordering.protocol):
                connection.transport.abort()

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _orders(self) -> dict[str, Order]:
        orders: tuple[Order, ...] = (
            *(self.kick, self.deny, self.allow, self.silence, self.speak, self.revoke),
            *(self.blast, self.say, self.notify, self.ring, self.reset_counters, self.stats),
        )
        return {"refuse": self._refuse_for, **{order.__name__: order for order in orders}}

    async def _refuse_for(self, seconds: float) -> dict[str, Any]:
        return await self.refuse(seconds)  # over HTTP nobody could tell it to come back
