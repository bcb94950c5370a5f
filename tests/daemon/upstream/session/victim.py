"""A manager that is killed over and over: ``python -m tests.daemon.upstream.session.victim DIR PORT KILLS SEED``.

Each life is a fork, so that a hundred are quick. It is killed by SIGKILL at a random moment after it was started, or
after it received something. The last one goes on until it has what the server has, and writes its history to the file
``history``: the number of each message, and the reason of each gap. A line is printed before each life, and read before
it begins.
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
from pathlib import Path

from tests.daemon.upstream.session.live import live_plan, managed
from tests.waiting import eventually
from wscli.daemon.channel.channel import Channel
from wscli.history.limits import HistoryLimits
from wscli.history.records import Batch

RESUMING = """
hello:
  - send: {op: login}
    expect: {op: welcome}
    keep: {sid: .sid, seq: .seq}
resume:
  needs: [sid, seq]
  hello:
    - send: {op: resume, sid: "{var.sid}", seq: "{var.seq}"}
      expect: [{match: {op: resumed}}, {match: {op: invalid}, then: fresh}]
rules: [{match: {op: event}, keep: {seq: .seq}}]
route: {op: event}
close: 4000
"""


async def recorded(channel: Channel) -> list[object]:
    """Give the number of each message in a history on disk, and the reason of each gap."""
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
        found += [json.loads(one)["seq"] for one in item.payloads] if isinstance(item, Batch) else [item.reason]
    unsubscribe()
    return found


async def live(directory: Path, port: int, told: int, *, last: bool) -> None:
    limits = HistoryLimits(store="disk", sync="normal", keep=1_000_000)
    plan = live_plan("news", f"ws://127.0.0.1:{port}/ws", RESUMING, history=limits)
    async with managed(plan, state=directory) as manager:
        channel = manager.channel("news")
        before = channel.history.last
        await eventually(lambda: channel.history.last > before)
        os.write(told, b"receives")
        if last:
            before = channel.history.last
            await eventually(lambda: channel.history.last >= before + 20)
            (directory / "history").write_text(json.dumps(await recorded(channel)))
        else:
            await asyncio.sleep(60)


def main() -> None:
    directory, port, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    chance = random.Random(seed)
    for life in range(kills + 1):
        os.write(1, b"%d\n" % life)
        sys.stdin.readline()
        reading, told = os.pipe()
        pid = os.fork()
        if not pid:
            asyncio.run(live(directory, port, told, last=life == kills))
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
