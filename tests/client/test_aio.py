"""``wscli.AsyncClient`` against a real manager: what is its own beside ``wscli.Client``."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client.scene import Scene, free_registration, running
from wscli import AsyncClient, Client
from wscli.control.protocol import PROTOCOL
from wscli.errors import TimedOut

__all__ = ["running"]


@pytest.fixture
def client(running: Scene) -> AsyncClient:
    return AsyncClient("app", environ=running.environ)


def order(**what: Any) -> str:
    return json.dumps(what)


async def gone(running: Scene) -> None:
    """Wait until nobody reads: every call has hung up."""
    await asyncio.to_thread(running.until_readers, 0)


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, list[inspect.Parameter]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(one).parameters.values()) for name, one in found if name[0] != "_"}

    assert methods(AsyncClient) == methods(Client)
    assert inspect.signature(AsyncClient) == inspect.signature(Client)


async def test_a_tail_may_never_begin_and_does_not_begin_again(client: AsyncClient, running: Scene) -> None:
    never_begun = client.tail("echo")
    del never_begun
    async with client.tail("echo") as tail:
        pass
    async with tail:  # closed is closed
        assert [one async for one in tail] == []
    gc.collect()  # an open socket would warn here, which is an error
    await gone(running)


async def test_a_cancelled_step_of_a_tail_loses_nothing(client: AsyncClient, running: Scene) -> None:
    """Cancelled at every point: before there is anything, and in the very turn in which it came."""
    found = []
    async with client.tail("echo") as tail:
        await client.send("echo", order(burst=200))
        while len(found) < 200:
            step = asyncio.ensure_future(anext(tail))
            for _ in range(len(found) % 4):
                await asyncio.sleep(0)
            step.cancel()
            try:
                found.append((await step).json())  # type: ignore[union-attr]
            except asyncio.CancelledError:
                item = await asyncio.wait_for(anext(tail), 30)
                found.append(item.json())  # type: ignore[union-attr]
    assert found == [{"n": number} for number in range(200)]
    await gone(running)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: anext(client.tail("echo")),
        lambda client: client.request("echo", b"x", ".never"),
        lambda client: client.send("lost", "x", timeout=60),
        lambda client: client.wait("echo", state="paused"),
    ],
)
async def test_a_call_that_is_cancelled_hangs_up_at_once(
    client: AsyncClient, running: Scene, call: Callable[[AsyncClient], Awaitable[object]]
) -> None:
    for turns in range(6):
        calling = asyncio.ensure_future(call(client))
        for _ in range(turns):
            await asyncio.sleep(0)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
    gc.collect()
    await gone(running)
    await client.send("echo", b"after")


async def test_another_task_may_end_a_tail(client: AsyncClient, running: Scene) -> None:
    tail = client.tail("echo")
    listening = asyncio.ensure_future(_all(tail))
    await asyncio.to_thread(running.until_readers, 1)
    with pytest.raises(RuntimeError, match="another task"):
        await anext(tail)
    await tail.aclose()
    assert await listening == []
    opening = client.tail("echo")
    listening = asyncio.ensure_future(_all(opening))
    await asyncio.sleep(0)
    await opening.aclose()
    assert await listening == []
    await gone(running)


async def _all(tail: Any) -> list[object]:
    return [one async for one in tail]


async def test_a_fast_channel_leaves_other_tasks_their_turns(client: AsyncClient) -> None:
    async with client.tail("echo") as tail:
        await client.request("echo", order(burst=5000, id=1), ".reply == 1")
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.ensure_future(count())
        for number in range(5000):
            assert (await anext(tail)).json() == {"n": number}  # type: ignore[union-attr]
        counting.cancel()
    assert turns > 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a queue that is full refuses at once")
async def test_a_manager_that_accepts_nobody_holds_up_no_other_task(tmp_path: Path) -> None:
    path = free_registration(tmp_path / "run", "app")
    environ = {"WSCLI_RUNTIME_DIR": str(tmp_path / "run")}
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)  # which fills its queue
        for client in (AsyncClient("app", environ=environ), AsyncClient(environ=environ)):
            with pytest.raises(TimedOut):
                await client.request("echo", "x", bool, timeout=0.05)
        waiting = asyncio.ensure_future(AsyncClient("app", environ=environ).stats())
        await asyncio.sleep(0)
        listener.accept()[0].close()
        accepted, _ = await asyncio.to_thread(listener.accept)
        with accepted:
            accepted.recv(1 << 16)
            accepted.sendall(b'{"v":%d,"wscli":"0.1.0","ok":true,"result":{"schema":1}}\n' % PROTOCOL)
            assert await waiting == {"schema": 1}
