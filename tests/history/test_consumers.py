"""Named consumers: their positions, names and leases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.history.sqlite.opening import FullDisk, at, committed, crash, fill, opened
from tests.history.ticking import Ticking
from tests.waiting import eventually
from wscli.errors import UsageError, WscliError
from wscli.history.records import Position, Start


@pytest.mark.usefixtures("_quick_retry")
async def test_a_consumer_sees_only_what_is_committed(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 2)
        await committed(history)
        disk = FullDisk(history)
        fill(history, 3)
        lease = history.consumers.take("billing", 1)
        lease.move(at(history, 1))
        assert (history.last, lease.committed) == (5, 2)
        with pytest.raises(WscliError, match=r"the position is not kept: .*the disk is full"):
            await lease.confirmed()
        disk.full = False
        await lease.confirmed()
        await eventually(lambda: lease.committed == 5)


async def test_a_consumer_goes_on_where_it_stopped(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 5)
        history.record_gap("outage")
        fill(history, 5)
        await committed(history)
        lease = history.consumers.take("billing", 41)
        assert lease.start == Start(at(history, 0)), "a new one begins at the oldest message"
        lease.move(at(history, 5, 1))
        lease.move(at(history, 4))
        await lease.confirmed()
        with pytest.raises(WscliError, match="consumer 'billing' is read by process 41"):
            history.consumers.take("billing", 42)
        lease.release()
    crash_free = history.epoch
    async with opened(path, clock) as history:
        (one,) = history.consumers.list()
        assert (one.name, one.position, one.lag, one.held_by) == ("billing", Position(crash_free, 5), 5, None)
        assert history.consumers.take("billing", 1).start == Start(at(history, 5, 1))


async def test_a_consumer_may_claim_what_was_not_confirmed_yet(path: Path, clock: Ticking) -> None:
    epoch = crash(path, clock, 9)
    async with opened(path, clock) as history:
        take, release = history.consumers.take, lambda: history.consumers._readers.clear()
        take("billing", 1).move(at(history, 3))
        release()
        assert take("billing", 1, claim=Position(epoch, 6)).start.cursor.seq == 6
        release()
        assert take("billing", 1, claim=Position(epoch, 2)).start.cursor.seq == 3, "never backwards"
        release()
        assert take("billing", 1, claim=Position(epoch, 12)).start.cursor.seq == 3, "not what was lost"


async def test_consumers_are_reset_removed_and_counted(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 4)
        await committed(history)
        consumers = history.consumers
        lease = consumers.take("a", 1)
        for refused in (consumers.reset("a", Start(at(history, 0))), consumers.remove("a")):
            with pytest.raises(WscliError, match="is read by process 1"):
                await refused
        lease.release()
        await consumers.reset("a", history.seek_last(1))
        assert [one.position.seq for one in consumers.list()] == [3]
        await consumers.remove("a")
        assert consumers.list() == []
        with pytest.raises(WscliError, match="there is no consumer 'a'"):
            await consumers.remove("a")
        for number in range(64):
            consumers.take(f"c{number}", 1)
        with pytest.raises(WscliError, match="has 64 consumers already"):
            consumers.take("one-more", 1)


async def test_a_consumer_whose_removal_waits_to_be_committed_stays_removed(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        consumers = history.consumers
        for name in ("a", "b"):
            consumers.take(name, 1).release()
            await consumers.confirmed(name)
        held = dict(consumers._positions)
        consumers._unwritten["a"] = None
        consumers.restore(held)
        assert [one.name for one in consumers.list()] == ["b"]


@pytest.mark.parametrize("name", ["", "a/b", "..\0", "a b", "ü", "x" * 65])
async def test_an_invalid_consumer_name_is_refused(path: Path, clock: Ticking, name: str) -> None:
    async with opened(path, clock) as history:
        with pytest.raises(UsageError, match="invalid consumer name"):
            history.consumers.take(name, 1)
