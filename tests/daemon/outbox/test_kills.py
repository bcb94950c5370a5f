"""Kill the process 200 times: no accepted message is lost, each kill repeats at most one, and the order is kept."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

KILLS = 200


def test_two_hundred_kills_lose_nothing_and_keep_the_order(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.daemon.outbox.victim", str(tmp_path), "7", str(KILLS)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lives = [list(map(int, life.split())) for life in (tmp_path / "sent").read_text().split("killed\n")]
    sent = [number for life in lives for number in life]
    acknowledged = [int(line) for line in (tmp_path / "acknowledged").read_text().splitlines()]
    once = [number for number, _ in itertools.groupby(sent)]
    assert len(acknowledged) > KILLS // 2
    assert not set(acknowledged) - set(once), "an accepted message was lost"
    assert once == sorted(set(once)), "the order was not kept"
    assert len(lives) == KILLS + 1
    seen: set[int] = set()
    repeated = 0
    for life in lives:
        assert len(life) == len(set(life)), "a life repeated a message of its own"
        assert len(seen.intersection(life)) <= 1, "one kill repeated more than one message"
        repeated += len(seen.intersection(life))
        seen.update(life)
    assert repeated > 0, "no kill came between a message and its mark"
