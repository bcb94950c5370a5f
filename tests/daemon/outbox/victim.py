"""The outbox on a file as its channel, killed over and over: ``python -m tests.daemon.outbox.victim DIR SEED KILLS``.

Each life is a fork, so that two hundred are quick. It is killed by SIGKILL at a random point: before a message is
accepted, within that transaction, after it was sent, within the transaction that marks it, or after that. The files
``acknowledged`` and ``sent`` have a message's number a line; each kill is a line in ``sent``.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from wscli.clock import SystemClock
from wscli.core.states import ChannelState
from wscli.daemon.outbox import Outbox
from wscli.daemon.outbox.store import OutboxStore
from wscli.problems import Problems
from wscli.tasks import Tasks

EACH = 3
"""Messages of a life; the point is reached by one of them."""
POINTS = ("accept", "write", "written", "send", "mark", "marked")


def die() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


def note(directory: Path, name: str, text: str) -> None:
    """Append a line by one write, which a kill cannot interrupt."""
    descriptor = os.open(directory / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, text.encode() + b"\n")
    os.close(descriptor)


class Channel:
    def __init__(self, directory: Path, sent: Callable[[], object]) -> None:
        self.name, self.state, self.removed = "calls", ChannelState.READY, False
        self.problems, self.outbox = Problems(), {}
        self._directory, self._sent = directory, sent

    def use(self) -> nullcontext[None]:
        return nullcontext()

    def unavailable(self) -> None:
        return None

    async def wait_for(self, states: object) -> ChannelState:
        return self.state

    async def send(self, payload: Callable[[], bytes], *, binary: bool, timeout: float) -> None:
        note(self._directory, "sent", payload().decode())
        self._sent()


def arm(point: str, nth: int, opcodes: int) -> Callable[[str], bool]:
    """Wrap the store so that it dies at the point; return the check for points outside the store."""
    left = {point: nth}

    def here(name: str) -> bool:
        left[name] = left.get(name, 0) - 1
        return left[name] == 0

    def wrap(method: Callable[..., Any], during: str, after: str) -> Callable[..., Any]:
        def wrapped(store: OutboxStore, *args: Any, **options: Any) -> Any:
            doomed = here(during)
            if doomed:
                store._database.set_progress_handler(die, opcodes)  # within the transaction, if it takes so long
            result = method(store, *args, **options)
            last.append(doomed or here(after))
            return result

        return wrapped

    last: list[bool] = []
    commit = OutboxStore.together

    def together(store: OutboxStore, calls: Any) -> list[Any]:
        results = commit(store, calls)
        if any(last):
            die()
        return results

    OutboxStore.together = together  # type: ignore[method-assign]  # a fork's own

    OutboxStore.add = wrap(OutboxStore.add, "write", "written")  # type: ignore[method-assign]  # a fork's own
    OutboxStore.mark_sent = wrap(OutboxStore.mark_sent, "mark", "marked")  # type: ignore[method-assign]  # likewise
    return here


async def live(directory: Path, first: int, here: Callable[[str], bool]) -> None:
    channel = Channel(directory, lambda: here("send") and die())
    manager: Any = SimpleNamespace(
        clock=SystemClock(), problems=Problems(), tasks=Tasks(),
        channels=lambda: [channel], channel=lambda name: channel,
    )  # fmt: skip
    outbox = Outbox(manager, directory / "outbox.db")
    await outbox.start()
    for number in range(first, first + EACH):
        if here("accept"):
            die()
        await outbox.queue("calls", [str(number).encode()], binary=False, ttl=None, key=None)
        note(directory, "acknowledged", str(number))
    await outbox.flush()
    await manager.tasks.close()
    await outbox.close()


def fork(work: Callable[[], None]) -> int:
    """Run in a child process, and return its exit code, or minus the signal that ended it."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    work()
    os._exit(0)


def main(directory: Path, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    for life in range(kills):
        point, nth, opcodes = POINTS[life % len(POINTS)], chance.randint(1, EACH), chance.randint(1, 60)
        code = fork(lambda: asyncio.run(live(directory, life * EACH, arm(point, nth, opcodes))))  # noqa: B023
        assert code == -signal.SIGKILL, f"life {life}, {point} {nth}: it ended with {code}"
        note(directory, "sent", "killed")
    assert fork(lambda: asyncio.run(live(directory, kills * EACH, lambda name: False))) == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
