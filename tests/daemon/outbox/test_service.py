"""The outbox with a scripted channel: deliveries, faults of the disk, outcomes, and what ``status`` shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.daemon.outbox.test_store import outcome
from tests.daemon.scripted import REFUSED, Scripted, channel_plan, scripted
from tests.daemon.served import ENDS, bring, link_of
from tests.waiting import eventually
from wscli.control.messages import QueueReceipt
from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.outbox import Outbox, delivery, thread
from wscli.daemon.outbox.store import OutboxStore
from wscli.database.opening import DatabaseError
from wscli.errors import ChannelUnavailable, NotSent, OutcomeUnknown, WscliError


def receipt(queued: int, state: str) -> QueueReceipt:
    """Return the receipt of message 1."""
    return QueueReceipt(queued=queued, known=1 - queued, first=1, state=state)


class Scene(NamedTuple):
    outbox: Outbox
    channel: Channel
    it: Scripted

    async def bring(self, state: ChannelState) -> None:
        await bring(self.it, self.channel, state)

    async def queue(self, *payloads: bytes, channel: str = "calls", **options: Any) -> QueueReceipt:
        return await self.outbox.queue(channel, payloads, **{"binary": False, "ttl": None, "key": None, **options})

    async def attempted(self) -> None:
        """Wait until the first message was tried."""
        while not (await self.outbox.list([]))[0]["attempts"]:
            pass

    def sent(self) -> list[bytes]:
        return [payload for payload, _ in link_of(self.channel).sent]


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scripted(channel_plan("calls", verdicts=ENDS), channel_plan("rooms/{id}")) as it:
        outbox = Outbox(it.manager, tmp_path / "wscli" / "app" / "outbox.db")
        it.manager.observe(outbox)
        yield Scene(outbox, it.manager.channel("calls"), it)
        await outbox.settle()
        await it.manager.tasks.close()
        await outbox.close()


@pytest.mark.parametrize("error", [NotSent("closed"), OutcomeUnknown("it ended")])
async def test_a_failed_or_doubtful_message_is_sent_again_before_the_next(scene: Scene, error: WscliError) -> None:
    link_of(scene.channel).fails[0] = error
    await scene.queue(b"a", b"b")
    await scene.attempted()
    assert scene.sent() == []
    link_of(scene.channel).fails.clear()
    await scene.outbox.flush()
    assert scene.sent() == [b"a", b"b"]
    await eventually(lambda: not scene.channel.in_use)


async def test_an_expired_message_is_counted_and_shown_among_the_problems(scene: Scene) -> None:
    await scene.bring(ChannelState.CONNECTING)
    await scene.queue(b"a", ttl=5)
    scene.it.time.stall(5)
    await scene.queue(b"b")
    await eventually(lambda: scene.channel.outbox["expired"] == 1)
    assert scene.channel.problems.texts() == ["outbox: 1 expired; see `wscli outbox ls calls`"]
    await scene.outbox.remove([2])
    await eventually(lambda: not scene.channel.in_use)


async def test_a_flush_fails_for_a_failed_or_removed_channel(scene: Scene) -> None:
    await scene.bring(ChannelState.FAILED)
    await scene.queue(b"a")
    with pytest.raises(ChannelUnavailable, match="channel 'calls' has 1 queued: channel 'calls' is failed"):
        await scene.outbox.flush()
    await scene.outbox.remove_channel("calls")
    await scene.queue(b"a", channel="gone")
    with pytest.raises(ChannelUnavailable, match="no channel 'gone'"):
        await scene.outbox.flush()
    assert [one["channel"] for one in await scene.outbox.list([])] == ["gone"]


def refuse(monkeypatch: pytest.MonkeyPatch, method: str, refused: Iterable[bool]) -> None:
    """Have a method of the store refuse those of its calls."""
    call, refusals = getattr(OutboxStore, method), iter(refused)

    def refusing(*args: Any) -> Any:
        if next(refusals, False):
            raise DatabaseError("the disk is full")
        return call(*args)

    monkeypatch.setattr(OutboxStore, method, refusing)


async def test_a_mark_that_the_disk_refuses_is_repeated_and_no_message_is(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "mark_sent", [True, True])
    monkeypatch.setattr(thread, "RETRY", 0.01)
    await scene.queue(b"a", b"b")
    await scene.outbox.flush()
    assert scene.sent() == [b"a", b"b"]
    assert scene.it.manager.problems.texts() == []


async def test_a_disk_that_refuses_a_delivery_is_no_problem_once_its_messages_are_removed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "next", repeat(True))
    await scene.queue(b"a")
    await eventually(lambda: scene.it.manager.problems.texts() == ["outbox: the disk is full"])
    await scene.outbox.remove([1])
    await eventually(lambda: not scene.it.manager.problems.texts() and not scene.channel.in_use)


async def test_an_unusable_state_directory_refuses_the_message(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "wscli").write_text("")
    with pytest.raises(NotSent, match="cannot be used: not a directory"):
        await scene.queue(b"a")


async def block(scene: Scene, *payloads: bytes, **options: Any) -> asyncio.Event:
    """Queue messages, and return while the first is being sent; it is once the event is set."""
    full = link_of(scene.channel).full = asyncio.Event()
    await scene.queue(*payloads, **options)
    await eventually(scene.sent)
    return full


async def end(scene: Scene) -> list[dict[str, Any]]:
    """End as the manager does, and give what the next one finds."""
    await scene.outbox.settle()
    await scene.it.manager.tasks.close()
    await scene.outbox.close()
    with closing(OutboxStore(scene.outbox._store._path)) as store:
        return store.list()


async def test_a_clean_end_marks_the_message_that_is_being_sent_and_begins_no_other(scene: Scene) -> None:
    full = await block(scene, b"a", b"b")
    timeout = link_of(scene.channel).timeout
    assert timeout is not None
    assert timeout > 86_400, "without a ttl an attempt has no limit: the keep-alive detects a server that reads nothing"
    ending = asyncio.create_task(end(scene))
    await asyncio.sleep(0)
    full.set()
    assert [one["id"] for one in await ending] == [2]
    assert scene.sent() == [b"a"]


async def test_a_clean_end_marks_a_message_that_the_server_does_not_take_as_doubtful(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "SETTLE", 0.01)
    await block(scene, b"a", b"b")
    first, second = await end(scene)
    reason = "the manager was stopped while it was being sent"
    assert (first["state"], first["attempts"], first["reason"]) == ("queued", 1, reason)
    assert second["attempts"] == 0


async def test_a_clean_end_does_not_wait_for_a_channel_that_is_not_ready(scene: Scene) -> None:
    await scene.bring(ChannelState.CONNECTING)
    await scene.queue(b"a")
    assert [(one["state"], one["attempts"]) for one in await end(scene)] == [("queued", 0)]


async def test_a_message_that_is_being_sent_is_not_removed(scene: Scene) -> None:
    full = await block(scene, b"a", b"b", b"c", b"d")
    with pytest.raises(WscliError, match="a message of channel 'calls' is being sent at this moment; 3 others are"):
        await scene.outbox.remove_channel("calls")
    full.set()
    await scene.outbox.flush()
    assert scene.sent() == [b"a"]


async def test_a_message_can_be_removed_between_two_attempts(scene: Scene) -> None:
    link_of(scene.channel).fails[0] = NotSent("closed")
    await scene.queue(b"a")
    await scene.attempted()
    assert await scene.outbox.remove([1]) == 1
    await scene.outbox.flush()
    assert scene.sent() == []


async def test_an_attempt_ends_when_its_message_expires(scene: Scene) -> None:
    link = link_of(scene.channel)
    link.clogged = True
    with scene.outbox.waiting() as waiter:
        full = await block(scene, b"a", ttl=7, waiter=waiter)
        assert link.timeout == 7
        scene.it.time.stall(7)
        full.set()
        reason = "it may have been sent: channel 'calls': the server had not read the message in time"
        assert [await waiter.news(), await waiter.news()] == [[outcome(1, "unknown", reason)], []]
    (row,) = await scene.outbox.list([])
    assert (row["state"], row["reason"], row["attempts"]) == ("expired", reason, 1)


async def test_a_message_that_expired_behind_another_is_never_tried(scene: Scene) -> None:
    full = await block(scene, b"a", b"b", ttl=5)
    scene.it.time.stall(5)
    full.set()
    await scene.outbox.flush()
    assert [(one["id"], one["state"]) for one in await scene.outbox.list([])] == [(2, "expired")]
    assert scene.sent() == [b"a"], "what was handed over in time was sent"


async def test_each_waiter_is_told_the_outcome_of_each_of_its_messages(scene: Scene) -> None:
    await scene.bring(ChannelState.CONNECTING)
    with scene.outbox.waiting() as waiter, scene.outbox.waiting() as other:
        assert await scene.queue(b"a", key="k", waiter=waiter) == receipt(1, "queued")
        assert await scene.queue(b"a", key="k", waiter=other) == receipt(0, "queued")
        await scene.queue(b"b", ttl=0, waiter=waiter)
        await scene.queue(b"c")
        await scene.bring(ChannelState.READY)
        await scene.outbox.flush()
        told = await waiter.news()
        while waiter.pending:
            told += await waiter.news()
        assert sorted(told, key=lambda one: one["id"]) == [outcome(1, "sent"), outcome(2, "expired")]
        assert await other.news() == [outcome(1, "sent")]
    assert await scene.queue(b"a", key="k", waiter=waiter) == receipt(0, "sent")
    assert not waiter.pending


async def test_an_outcome_is_told_later_if_the_counts_cannot_be_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "report", [False, True])
    await scene.bring(ChannelState.STOPPED)
    with scene.outbox.waiting() as waiter:
        await scene.queue(b"a", waiter=waiter)
        await scene.outbox.remove([1])
        assert scene.outbox.counts("calls")["queued"] == 1
        await scene.outbox.list([])
        assert await waiter.news() == [outcome(1, "removed", "it was removed")]
    assert scene.outbox.counts("calls")["queued"] == 0


async def test_a_crashed_delivery_is_a_problem_until_it_goes_on(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "AFTER_CRASH", 0.01)
    link_of(scene.channel).fails[0] = RuntimeError("a fault of ours")
    await scene.queue(b"a", b"b")
    stated = ["outbox of calls: delivery stopped: a fault of ours; tried again in 0.01 s"]
    await eventually(lambda: scene.it.manager.problems.texts() == stated)
    link_of(scene.channel).fails.clear()
    await scene.outbox.flush()
    assert scene.it.manager.problems.texts() == []
    assert scene.sent() == [b"a", b"b"]


async def test_one_task_retries_expiry_on_a_disk_that_refuses_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []

    def refusals() -> Iterator[bool]:
        for _ in range(20):
            counts.append(len(scene.it.manager.tasks))
            yield True

    refuse(monkeypatch, "expire", refusals())
    monkeypatch.setattr(thread, "RETRY", 0.01)
    await scene.bring(ChannelState.CONNECTING)
    others = len(scene.it.manager.tasks)
    await scene.queue(b"a", ttl=5)
    scene.it.time.stall(5)
    scene.outbox._expiry_changed.set()
    await eventually(lambda: len(counts) == 20)
    assert set(counts) == {others + 2}, "the delivery, and one that puts aside what expired"
    await eventually(lambda: scene.channel.outbox["expired"] == 1)
    await eventually(lambda: len(scene.it.manager.tasks) == others)
    assert scene.it.manager.problems.texts() == []


async def test_a_new_instance_of_a_template_shows_the_messages_of_its_name(scene: Scene) -> None:
    scene.it.server.always = REFUSED
    await scene.queue(b"a", channel="rooms/1")
    first = scene.it.manager.channel("rooms/1")
    await eventually(lambda: first.outbox["queued"] == 1)
    scene.it.manager.apply(replace(scene.it.plan, channels={}))
    scene.it.manager.apply(scene.it.plan)
    second = scene.it.manager.channel("rooms/1")
    assert (second is first, second.outbox["queued"]) == (False, 1)
