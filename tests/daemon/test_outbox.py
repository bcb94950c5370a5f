"""Delivery: what failed is sent again, what a disk refuses is stated, and a channel is told its counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.daemon.fake_manager import FakeChannel
from tests.daemon.served import until
from wscli.clock import SystemClock
from wscli.daemon import delivery
from wscli.daemon.outbox import Outbox
from wscli.daemon.problems import Problems
from wscli.daemon.tasks import Tasks
from wscli.database import DatabaseError
from wscli.errors import ChannelUnavailable, NotSent, OutcomeUnknown, UnknownChannel, WscliError
from wscli.outbox.store import Added, Message, OutboxStore
from wscli.states import ChannelState


class Scene(NamedTuple):
    outbox: Outbox
    channel: Any
    manager: Any

    async def queue(self, *payloads: bytes, ttl: float | None = None) -> Added:
        return await self.outbox.queue("calls", payloads, binary=False, ttl=ttl, key=None)

    def sent(self) -> list[bytes]:
        return [payload for payload, _ in self.channel.sent]


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    channel = FakeChannel("calls")

    def find(name: str) -> FakeChannel:
        if name != "calls":
            raise UnknownChannel(f"no such channel {name!r}")
        return channel

    manager: Any = SimpleNamespace(
        plan=SimpleNamespace(name="app"), clock=SystemClock(), problems=Problems(), tasks=Tasks(), watchers=[],
        after_apply=[], channels=lambda: [channel], channel=find,
    )  # fmt: skip
    outbox = Outbox(manager, {"XDG_STATE_HOME": str(tmp_path)})
    yield Scene(outbox, channel, manager)
    await outbox.settle()
    await manager.tasks.close()
    await outbox.close()


@pytest.mark.parametrize("error", [NotSent("closed"), OutcomeUnknown("it ended")])
async def test_what_failed_or_may_have_is_sent_again_before_the_next(scene: Scene, error: WscliError) -> None:
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
    await until(lambda: scene.channel.uses == 0)


async def test_what_expires_while_it_waits_is_counted_and_stated(scene: Scene) -> None:
    scene.channel.state = ChannelState.CONNECTING
    await scene.queue(b"a", ttl=0.01)
    await until(lambda: scene.channel.outbox["expired"] == 1)
    assert scene.channel.problems.texts() == ["outbox: 1 expired; see `wscli outbox ls calls`"]
    await until(lambda: scene.channel.uses == 0)


async def test_a_flush_says_that_a_channel_failed_or_is_gone(scene: Scene) -> None:
    scene.channel.state = ChannelState.FAILED
    await scene.queue(b"a")
    with pytest.raises(ChannelUnavailable, match="1 of channel 'calls' wait: channel 'calls' is failed"):
        await scene.outbox.flush()
    await scene.outbox.remove_channel("calls")
    await scene.outbox.queue("gone", [b"a"], binary=False, ttl=None, key=None)
    with pytest.raises(ChannelUnavailable, match="no such channel 'gone'"):
        await scene.outbox.flush()
    assert [one["channel"] for one in await scene.outbox.list([])] == ["gone"]


async def test_a_mark_that_the_disk_refuses_is_tried_again_and_nothing_is_repeated(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, refusals = OutboxStore.mark_sent, iter([True, True])

    def refusing(store: OutboxStore, number: int, now: float) -> Message | None:
        if next(refusals, False):
            raise DatabaseError("the disk is full")
        return mark(store, number, now)

    monkeypatch.setattr(OutboxStore, "mark_sent", refusing)
    monkeypatch.setattr(delivery, "RETRY", 0.01)
    await scene.queue(b"a", b"b")
    await scene.outbox.flush()
    assert scene.sent() == [b"a", b"b"]
    assert scene.manager.problems.texts() == []


async def test_a_state_directory_that_is_none_refuses_the_message(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "wscli").write_text("")
    with pytest.raises(NotSent, match="cannot be used: not a directory"):
        await scene.queue(b"a")
