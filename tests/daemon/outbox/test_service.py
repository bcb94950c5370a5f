"""The outbox with a scripted channel: deliveries, faults of the disk, outcomes, and what ``status`` shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.daemon.fake_manager import FakeChannel
from tests.daemon.outbox.test_store import outcome
from tests.waiting import eventually
from wscli.clock import SystemClock
from wscli.control.messages import QueueReceipt
from wscli.core.states import ChannelState
from wscli.daemon.outbox import Outbox, delivery, thread
from wscli.daemon.outbox.store import OutboxStore
from wscli.database import DatabaseError
from wscli.errors import ChannelUnavailable, NotSent, OutcomeUnknown, UnknownChannel, WscliError
from wscli.problems import Problems
from wscli.tasks import Tasks


def receipt(queued: int, state: str) -> QueueReceipt:
    """Return the receipt of message 1."""
    return QueueReceipt(queued=queued, known=1 - queued, first=1, state=state)


class HandClock(SystemClock):
    """The wall clock as the test sets it."""

    def __init__(self) -> None:
        self.now = 1_764_000_000.0

    def wall(self) -> float:
        return self.now


class BlockingChannel(FakeChannel):
    """Takes a message and then blocks, as a connection does whose server reads nothing."""

    async def send(self, payload: Any, *, binary: bool, timeout: float) -> None:
        self.timeout = timeout
        await super().send(payload(), binary=binary, timeout=timeout)


class Scene(NamedTuple):
    outbox: Outbox
    channel: Any
    manager: Any

    async def queue(self, *payloads: bytes, ttl: float | None = None) -> QueueReceipt:
        return await self.outbox.queue("calls", payloads, binary=False, ttl=ttl, key=None)

    def sent(self) -> list[bytes]:
        return [payload for payload, _ in self.channel.sent]


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    channel = BlockingChannel("calls")

    def find(name: str) -> FakeChannel:
        if name != "calls":
            raise UnknownChannel(f"no such channel {name!r}")
        return channel

    manager: Any = SimpleNamespace(
        clock=HandClock(), problems=Problems(), tasks=Tasks(), channels=lambda: [channel], channel=find
    )
    outbox = Outbox(manager, tmp_path / "wscli" / "app" / "outbox.db")
    yield Scene(outbox, channel, manager)
    await outbox.settle()
    await manager.tasks.close()
    await outbox.close()


@pytest.mark.parametrize("error", [NotSent("closed"), OutcomeUnknown("it ended")])
async def test_a_failed_or_doubtful_message_is_sent_again_before_the_next(scene: Scene, error: WscliError) -> None:
    scene.channel.state = ChannelState.CONNECTING
    scene.channel.send_fails[0] = error
    await scene.queue(b"a", b"b")
    await scene.channel.become(ChannelState.READY)
    while not (await scene.outbox.list([]))[0]["attempts"]:
        pass
    assert scene.sent() == []
    scene.channel.send_fails.clear()
    await scene.outbox.flush()
    assert scene.sent() == [b"a", b"b"]
    await eventually(lambda: scene.channel.uses == 0)


async def test_an_expired_message_is_counted_and_shown_among_the_problems(scene: Scene) -> None:
    scene.channel.state = ChannelState.CONNECTING
    await scene.queue(b"a", ttl=5)
    scene.manager.clock.now += 5
    await scene.queue(b"b")
    await eventually(lambda: scene.channel.outbox["expired"] == 1)
    assert scene.channel.problems.texts() == ["outbox: 1 expired; see `wscli outbox ls calls`"]
    await scene.outbox.remove([2])
    await eventually(lambda: scene.channel.uses == 0)


async def test_a_flush_fails_for_a_failed_or_removed_channel(scene: Scene) -> None:
    scene.channel.state = ChannelState.FAILED
    await scene.queue(b"a")
    with pytest.raises(ChannelUnavailable, match="channel 'calls' has 1 queued: channel 'calls' is failed"):
        await scene.outbox.flush()
    await scene.outbox.remove_channel("calls")
    await scene.outbox.queue("gone", [b"a"], binary=False, ttl=None, key=None)
    with pytest.raises(ChannelUnavailable, match="no such channel 'gone'"):
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
    assert scene.manager.problems.texts() == []


async def test_a_disk_that_refuses_a_delivery_is_no_problem_once_its_messages_are_removed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "next", repeat(True))
    await scene.queue(b"a")
    await eventually(lambda: scene.manager.problems.texts() == ["outbox: the disk is full"])
    await scene.outbox.remove([1])
    await eventually(lambda: not scene.manager.problems.texts() and scene.channel.uses == 0)


async def test_an_unusable_state_directory_refuses_the_message(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "wscli").write_text("")
    with pytest.raises(NotSent, match="cannot be used: not a directory"):
        await scene.queue(b"a")


async def block(scene: Scene, *payloads: bytes, ttl: float | None = None) -> None:
    """Queue messages, and return while the first is being sent."""
    scene.channel.send_blocks = asyncio.Event()
    await scene.queue(*payloads, ttl=ttl)
    await eventually(lambda: scene.channel.send_blocked == 1)


async def end(scene: Scene) -> list[dict[str, Any]]:
    """End as the manager does, and give what the next one finds."""
    await scene.outbox.settle()
    await scene.manager.tasks.close()
    await scene.outbox.close()
    store = OutboxStore(scene.outbox._store._path)
    found = store.list()
    store.close()
    return found


async def test_a_clean_end_marks_the_message_that_is_being_sent_and_begins_no_other(scene: Scene) -> None:
    await block(scene, b"a", b"b")
    ending = asyncio.create_task(end(scene))
    await asyncio.sleep(0)
    scene.channel.send_blocks.set()
    assert [one["id"] for one in await ending] == [2]
    assert scene.sent() == [b"a"]


async def test_a_clean_end_marks_a_message_that_the_server_does_not_take_as_doubtful(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "SETTLE", 0.01)
    await block(scene, b"a", b"b")
    first, second = await end(scene)
    assert (first["state"], first["attempts"]) == ("queued", 1)
    assert first["reason"] == "the manager was stopped while it was being sent"
    assert second["attempts"] == 0


async def test_a_clean_end_does_not_wait_for_a_channel_that_is_not_ready(scene: Scene) -> None:
    scene.channel.state = ChannelState.CONNECTING
    await scene.queue(b"a")
    assert [(one["state"], one["attempts"]) for one in await end(scene)] == [("queued", 0)]


async def test_a_message_that_is_being_sent_is_not_removed(scene: Scene) -> None:
    await block(scene, b"a", b"b", b"c", b"d")
    with pytest.raises(WscliError, match="message 1 is being sent at this moment, and none was removed") as refused:
        await scene.outbox.remove([2, 1])
    assert refused.value.hint
    with pytest.raises(WscliError, match="a message of channel 'calls' is being sent at this moment; 3 others are"):
        await scene.outbox.remove_channel("calls")
    scene.channel.send_blocks.set()
    await scene.outbox.flush()
    assert scene.sent() == [b"a"]


async def test_a_message_can_be_removed_between_two_attempts(scene: Scene) -> None:
    scene.channel.send_fails[0] = NotSent("closed")
    await scene.queue(b"a")
    await eventually(lambda: scene.channel.send_blocked == 0 and scene.channel.uses)
    while not (await scene.outbox.list([]))[0]["attempts"]:
        pass
    assert await scene.outbox.remove([1]) == 1
    await scene.outbox.flush()
    assert scene.sent() == []


async def test_an_attempt_ends_when_its_message_expires(scene: Scene) -> None:
    scene.channel.send_fails[0] = OutcomeUnknown("the time was up")
    with scene.outbox.waiting() as waiter:
        scene.channel.send_blocks = asyncio.Event()
        await scene.outbox.queue("calls", [b"a"], binary=False, ttl=7, key=None, waiter=waiter)
        await eventually(lambda: scene.channel.send_blocked == 1)
        assert scene.channel.timeout == 7
        scene.manager.clock.now += 7
        scene.channel.send_blocks.set()
        reason = "it may have been sent: the time was up"
        assert await waiter.news() == [outcome(1, "unknown", reason)]
        assert await waiter.news() == []
    (row,) = await scene.outbox.list([])
    assert (row["state"], row["reason"], row["attempts"]) == ("expired", reason, 1)


async def test_a_message_that_expired_behind_another_is_never_tried(scene: Scene) -> None:
    await block(scene, b"a", b"b", ttl=5)
    scene.manager.clock.now += 5
    scene.channel.send_blocks.set()
    await scene.outbox.flush()
    assert [(one["id"], one["state"]) for one in await scene.outbox.list([])] == [(2, "expired")]
    assert scene.sent() == [b"a"], "what was handed over in time was sent"


async def test_each_waiter_is_told_the_outcome_of_each_of_its_messages(scene: Scene) -> None:
    scene.channel.state = ChannelState.CONNECTING
    with scene.outbox.waiting() as waiter, scene.outbox.waiting() as other:
        options: dict[str, Any] = {"binary": False, "ttl": None, "key": "k"}
        assert await scene.outbox.queue("calls", [b"a"], waiter=waiter, **options) == receipt(1, "queued")
        assert await scene.outbox.queue("calls", [b"a"], waiter=other, **options) == receipt(0, "queued")
        await scene.outbox.queue("calls", [b"b"], binary=False, ttl=0, key=None, waiter=waiter)
        await scene.queue(b"c")
        await scene.channel.become(ChannelState.READY)
        await scene.outbox.flush()
        told = await waiter.news()
        while waiter.pending:
            told += await waiter.news()
        assert sorted(told, key=lambda one: one["id"]) == [outcome(1, "sent"), outcome(2, "expired")]
        assert await other.news() == [outcome(1, "sent")]
    assert await scene.outbox.queue("calls", [b"a"], waiter=waiter, **options) == receipt(0, "sent")
    assert not waiter.pending


async def test_an_outcome_is_told_later_if_the_counts_cannot_be_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "report", [False, True])
    scene.channel.state = ChannelState.STOPPED
    with scene.outbox.waiting() as waiter:
        await scene.outbox.queue("calls", [b"a"], binary=False, ttl=None, key=None, waiter=waiter)
        await scene.outbox.remove([1])
        assert scene.outbox.counts("calls")["queued"] == 1
        await scene.outbox.list([])
        assert await waiter.news() == [outcome(1, "removed", "it was removed")]
    assert scene.outbox.counts("calls")["queued"] == 0


async def test_a_crashed_delivery_is_a_problem_until_it_goes_on(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "AFTER_CRASH", 0.01)
    crashes = iter([True, True])

    async def crash(payload: Any, *, binary: bool, timeout: float) -> None:
        if next(crashes, False):
            raise RuntimeError("a fault of ours")
        scene.channel.sent.append((payload(), binary))

    monkeypatch.setattr(scene.channel, "send", crash)
    await scene.queue(b"a", b"b")
    await eventually(lambda: scene.manager.problems.texts())
    assert scene.manager.problems.texts() == [
        "outbox of calls: delivery stopped: a fault of ours; tried again in 0.01 s"
    ]
    await scene.outbox.flush()
    assert scene.manager.problems.texts() == []
    assert scene.sent() == [b"a", b"b"]


async def test_one_task_retries_expiry_on_a_disk_that_refuses_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = 0

    def refusing(store: OutboxStore, now: float) -> None:
        nonlocal refused
        refused += 1
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(thread, "RETRY", 0.01)
    scene.channel.state = ChannelState.CONNECTING
    await scene.queue(b"a", ttl=5)
    scene.manager.clock.now += 5
    with monkeypatch.context() as patch:
        patch.setattr(OutboxStore, "expire", refusing)
        scene.outbox._expiry_changed.set()
        for count in range(1, 20):
            await eventually(lambda count=count: refused >= count)  # type: ignore[misc]  # bound in its turn
            assert len(scene.manager.tasks) == 2, "the delivery, and one that puts aside what expired"
    await eventually(lambda: scene.channel.outbox["expired"] == 1)
    await eventually(lambda: len(scene.manager.tasks) == 0)
    assert scene.manager.problems.texts() == []


async def test_a_channel_is_in_use_only_while_it_has_queued_messages(scene: Scene) -> None:
    scene.channel.send_fails[0] = NotSent("the connection is closed")
    await block(scene, b"a", ttl=5)
    scene.manager.clock.now += 5
    scene.channel.state = ChannelState.CONNECTING
    scene.channel.send_blocks.set()
    await eventually(lambda: scene.channel.outbox["expired"] == 1)
    await eventually(lambda: scene.channel.uses == 0)


async def test_an_attempt_of_a_message_without_ttl_has_no_time_limit(scene: Scene) -> None:
    await block(scene, b"a")
    assert scene.channel.timeout > 86_400, "the keep-alive detects a server that reads nothing"
    scene.channel.send_blocks.set()
    await scene.outbox.flush()


async def test_a_new_instance_of_a_template_shows_the_messages_of_its_name(scene: Scene) -> None:
    scene.channel.state = ChannelState.STOPPED
    await scene.queue(b"a")
    again: Any = FakeChannel("calls")
    scene.outbox.channel_made(again)
    assert again.outbox["queued"] == 1
