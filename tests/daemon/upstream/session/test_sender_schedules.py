"""Messages, limits, full buffers and programs that give up, in any order: each is written once, and none gets stuck."""

from __future__ import annotations

import asyncio
import random
from itertools import count

import pytest

from tests.daemon.upstream.session.conftest import Parts
from tests.daemon.upstream.session.test_sender import Bench, Text


@pytest.mark.parametrize("seed", range(100))
async def test_nothing_is_lost_doubled_or_stuck(parts: Parts, seed: int) -> None:  # noqa: C901 - one case an act
    chance, b, numbers = random.Random(seed), Bench(parts), count()
    b.sender.open(b.link)
    own: list[str] = []
    programs: dict[str, asyncio.Task[int]] = {}
    given_up: set[str] = set()
    for _ in range(60):
        match chance.choice(
            ("own", "own", "program", "program", "limit", "block", "unblock", "give up", "turn", "time")
        ):
            case "own":
                own.append(f"o{next(numbers)}")
                b.sender.add(Text(own[-1]))  # type: ignore[arg-type]
            case "program":
                name = f"p{next(numbers)}"
                programs[name] = b.send(Text(name), timeout=None)
            case "limit":
                b.session.wait = chance.choice((0.0, 0.0, 1.0))
            case "block" if b.link.blocked is None:
                b.link.blocked = asyncio.Event()
            case "unblock" if b.link.blocked is not None:
                b.link.blocked.set()
                b.link.blocked = None
            case "give up" if waiting := [name for name, task in programs.items() if not task.done()]:
                given_up.add(name := chance.choice(waiting))
                programs[name].cancel()
            case "turn":
                await asyncio.sleep(0)
            case "time":
                await parts.time.advance(1.0)
    b.session.wait = 0.0
    if b.link.blocked is not None:
        b.link.blocked.set()
        b.link.blocked = None
    for _ in range(20):
        await parts.time.advance(1.0)
    stuck = [name for name, task in programs.items() if not task.done()]
    b.sender.end()
    await asyncio.gather(*programs.values(), return_exceptions=True)
    assert stuck == []
    written = [text.split()[1] for text in b.sent]
    assert [one for one in written if one.startswith("o")] == own, "the session's leave in their order"
    assert len(written) == len(set(written)), "written twice"
    kept = [name for name in programs if name not in given_up]
    assert [one for one in written if one in kept] == kept, "programs' leave in theirs"
