"""A manager that is killed over and over: ``python -m tests.e2e.victim DIR KILLS SEED``; its file is in DIR.

Each life is a fork, so that a hundred are quick. It is killed by SIGKILL at a random moment after it was started, or
after something that it received is on its disk. The last one goes on for a while, and writes its history to the file
``history``: the messages, and the reason of each gap. A line is printed before each life, and read before it begins.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.waiting import eventually
from wscli.clock import SystemClock
from wscli.config.loading import load
from wscli.daemon.channel.channel import Channel
from wscli.history.records import Batch
from wscli.process.run import make_manager
from wscli.transport.open import open_connection

__all__ = ["dies", "recorded"]


async def recorded(channel: Channel) -> list[object]:
    """Give the messages of a history, parsed, and the reason of each gap."""
    history, found = channel.history, list[object]()
    await history.opened()
    cursor, upto = history.seek_start().cursor, history.last
    woken = asyncio.Event()
    unsubscribe = history.subscribe(woken.set)
    while cursor.seq < upto:
        woken.clear()
        read = history.read(cursor)
        if read is None:
            await woken.wait()
            continue
        item, cursor = read
        found += [json.loads(one) for one in item.payloads] if isinstance(item, Batch) else [item.reason]
    unsubscribe()
    return found


async def dies(directory: Path, kills: int, forget: Callable[[], object] | None) -> int:
    """Run such a process, and have the server forget before each fifth life; give how often it did."""
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.e2e.victim", str(directory), str(kills), "7",
        cwd=Path(__file__).parents[2], stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert victim.stdout is not None
    assert victim.stdin is not None
    forgotten = 0
    while life := await victim.stdout.readline():
        if forget is not None and int(life) % 5 == 4:
            forget()
            forgotten += 1
        victim.stdin.write(b"go\n")
    assert await victim.wait() == 0
    return forgotten


async def live(directory: Path, told: int, *, last: bool) -> None:
    """Run a manager, and tell once something that it received is on its disk."""
    manager = make_manager(
        load(directory / "wscli.yaml", {}),
        clock=SystemClock(),
        chance=random.Random(1),
        open_connection=open_connection,
        reachable=lambda address: True,
        environ={"XDG_STATE_HOME": str(directory)},
    )
    manager.open()
    (channel,) = manager.channels()
    await channel.history.opened()
    before = channel.history.last
    await eventually(lambda: (channel.history.committed or 0) > before)
    os.write(told, b"receives")
    if last:
        before = channel.history.last
        await eventually(lambda: channel.history.last >= before + 20)
        (directory / "history").write_text(json.dumps(await recorded(channel)))
        await manager.close()
    else:
        await asyncio.sleep(60)


def main() -> None:
    """Live, be killed, live."""
    directory, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(seed)
    for life in range(kills + 1):
        os.write(1, b"%d\n" % life)
        sys.stdin.readline()
        reading, told = os.pipe()
        pid = os.fork()
        if not pid:
            asyncio.run(live(directory, told, last=life == kills))
            os._exit(0)
        os.close(told)
        if life < kills:
            early = life % 4 == 3
            select.select([reading], [], [], chance.uniform(0.0, 0.3) if early else 30.0)
            time.sleep(chance.uniform(0.0, 0.05))
            os.kill(pid, signal.SIGKILL)
        os.close(reading)
        _, status = os.waitpid(pid, 0)
        if life == kills and status:
            sys.exit(f"the last life failed: {status}")


if __name__ == "__main__":
    main()
