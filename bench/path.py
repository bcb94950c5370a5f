"""What a session costs a message on its whole way, from the transport to the history, against plain channels."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.measure import median, ratio
from bench.report import table
from bench.session import BATCHES, CHANNELS, SESSION, payloads
from tests.daemon.scripted import ScriptedLink, ScriptedServer
from tests.daemon.virtual_time import VirtualTime
from wscli.clock import SystemClock
from wscli.config.loading import load
from wscli.core.states import ChannelState
from wscli.daemon.registry.manager import Manager
from wscli.process.run import make_manager

__all__ = ["measure", "show"]

_ENDPOINTS = f"""\
version: 1
endpoints:
  plain: {{url: ws://127.0.0.1:1, connect: {{rate: 1000/s}}}}
  shared:
    url: ws://127.0.0.1:1
    share: true
    session:
{SESSION}
channels:
"""
_PLAIN = "  p{n}: {{endpoint: plain}}\n"
_SHARED = "  c{n}: {{endpoint: shared, with: {{event: '{n}'}}}}\n"
_WAYS = {"one plain channel": (_PLAIN, 1), "plain channels": (_PLAIN, CHANNELS), "and a session": (_SHARED, CHANNELS)}
"""The channels of each way, by name."""
_SHARE = 2000
"""Messages of one run, which takes some milliseconds."""
_Turn = tuple[Callable[[list[bytes], None], None], list[bytes]]


def measure(*, messages: int, runs: int) -> dict[str, Any]:
    """Give the processor time in seconds a message, by way and by size of batch: the best, and the median.

    The ways take turns in short runs. A run on a loaded machine can only be slower than it must be, so that the best
    one varies least.
    """
    return asyncio.run(_measure(payloads(messages), runs))


async def _measure(messages: Sequence[bytes], runs: int) -> dict[str, Any]:
    times: dict[str, dict[int, list[float]]] = {name: defaultdict(list) for name in _WAYS}
    shares = [messages[at : at + _SHARE] for at in range(0, len(messages), _SHARE)]
    async with AsyncExitStack() as stack:
        ways = {name: await stack.enter_async_context(_connected(*channels)) for name, channels in _WAYS.items()}
        turns = {(name, size): _turns(links, shares, size) for name, (_, links) in ways.items() for size in BATCHES}
        gc.collect()
        gc.freeze()
        for at in [*range(len(shares))] * runs:
            for (name, size), shared in turns.items():
                times[name][size].append(_time(shared[at]) / len(shares[at]))
        gc.unfreeze()
        handed = len(messages) * len(BATCHES) * runs
        if missing := [name for name, (manager, _) in ways.items() if _received(manager) != handed]:
            raise RuntimeError(f"not all messages are in the histories of {', '.join(missing)}")
    best = _results(times, min)
    return {
        "messages": len(messages),
        "channels": CHANNELS,
        "runs": runs * len(shares),
        "results": best,
        "medians": _results(times, median),
        "ratios": _named(BATCHES, lambda size: ratio(best[2][str(size)], best[1][str(size)])),
    }


def _results(
    times: Mapping[str, Mapping[int, list[float]]], of: Callable[[list[float]], float]
) -> list[dict[str, Any]]:
    """Give one row of each way, and what the session adds."""
    found: list[dict[str, Any]] = [
        {"name": name, **_named(BATCHES, lambda size, runs=by_size: of(runs[size]))} for name, by_size in times.items()
    ]
    _, plain, session = found
    added = {str(size): session[str(size)] - plain[str(size)] for size in BATCHES}
    return [*found, {"name": "session - plain", **added}]


def _named(sizes: Iterable[int], value: Callable[[int], float]) -> dict[str, float]:
    return {str(size): value(size) for size in sizes}


@asynccontextmanager
async def _connected(channel: str, count: int) -> AsyncIterator[tuple[Manager, list[ScriptedLink]]]:
    """Run a manager until its channels are ready, and give it with its links."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "bench.yaml"
        path.write_text(_ENDPOINTS + "".join(channel.format(n=number) for number in range(1, count + 1)))
        plan = load(path, {})
    server = ScriptedServer(VirtualTime())
    server.on_message = _accept
    manager = make_manager(
        plan,
        clock=SystemClock(),
        chance=random.Random(1),
        open_connection=server.open_connection,
        reachable=lambda address: True,
        environ={},
    )
    manager.open()
    try:
        async with asyncio.timeout(60):
            for name in plan.channels:
                await manager.channel(name).wait_for({ChannelState.READY})
        yield manager, server.links
    finally:
        await manager.close()


def _received(manager: Manager) -> int:
    return sum(manager.channel(name).history.last for name in manager.plan.channels)


def _accept(link: ScriptedLink, payload: bytes) -> None:
    """Answer a subscription."""
    asyncio.get_running_loop().call_soon(link.say, json.dumps({"id": json.loads(payload)["id"], "success": True}))


def _turns(links: Sequence[ScriptedLink], shares: Iterable[Sequence[bytes]], size: int) -> list[list[_Turn]]:
    """Give what each link receives in each turn of so many messages, share by share."""
    found = []
    for messages in shares:
        turns: list[_Turn] = []
        for at in range(0, len(messages), size):
            by_link: dict[ScriptedLink, list[bytes]] = defaultdict(list)
            for message in messages[at : at + size]:
                by_link[links[json.loads(message)["id"] % len(links)]].append(message)
            turns += [(link.listener.on_batch, batch) for link, batch in by_link.items()]
        found.append(turns)
    return found


def _time(turns: Sequence[_Turn]) -> float:
    """Hand the links their messages, and give the processor time."""
    given = [(receive, [*batch]) for receive, batch in turns]  # a history keeps the list
    began = time.process_time()
    for receive, batch in given:
        receive(batch, None)
    return time.process_time() - began


def show(found: dict[str, Any]) -> str:
    """Lay out the microseconds."""
    sizes = list(map(str, BATCHES))
    rows = [[one["name"], *(f"{one[size] * 1e6:.2f} us" for size in sizes)] for one in found["results"]]
    rows.append(["session : plain", *(f"{found['ratios'][size]:.2f}" for size in sizes)])
    medians = found["medians"][-1]
    rows.append(["session - plain, medians", *(f"{medians[size] * 1e6:.2f} us" for size in sizes)])
    title = f"a message from the transport to the history, {found['channels']} channels; best of {found['runs']}"
    return table(title, ["messages in one turn", *sizes], rows)
