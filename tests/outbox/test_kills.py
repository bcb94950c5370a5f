"""200 times kill -9: no accepted message is lost, at most one is repeated a kill, and the order is kept."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

KILLS = 200


def numbers(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().splitlines()]


def test_two_hundred_kills_lose_nothing_and_keep_the_order(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.outbox.victim", str(tmp_path), "7", str(KILLS)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sent, acknowledged = numbers(tmp_path / "sent"), numbers(tmp_path / "acknowledged")
    once = [number for number, _ in itertools.groupby(sent)]
    assert len(acknowledged) > KILLS // 2
    assert not set(acknowledged) - set(once), "an accepted message was lost"
    assert once == sorted(set(once)), "the order was not kept"
    assert 0 < len(sent) - len(once) <= KILLS
