"""What a reload promises: the file as it was last, and nothing once the manager goes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.daemon.scripted import Scripted, channel_plan
from wscli.config.plan import Plan
from wscli.daemon.registry import reload as room
from wscli.daemon.registry.reload import reload_file
from wscli.errors import NoInstance


class Files:
    """Reads of the file, each of which ends when the test says so."""

    def __init__(self) -> None:
        self.reads: list[tuple[Plan, asyncio.Future[None]]] = []
        self.now: Plan | None = None

    async def read(self, *_: Any) -> Plan:
        assert self.now is not None
        plan, done = self.now, asyncio.get_running_loop().create_future()
        self.reads.append((plan, done))
        await done
        return plan


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    files = Files()
    monkeypatch.setattr(room.asyncio, "to_thread", files.read)
    return files


async def test_of_two_reloads_the_later_one_counts_however_long_the_first_takes(it: Scripted, files: Files) -> None:
    plans = [replace(it.plan, channels={name: channel_plan(name)}) for name in ("old", "new")]
    reloads = []
    for files.now in plans:
        reloads.append(asyncio.ensure_future(reload_file(it.manager)))
        await it.time.settle()
    while not all(one.done() for one in reloads):
        files.reads[-1][1].done() or files.reads[-1][1].set_result(None)
        files.reads[0][1].done() or files.reads[0][1].set_result(None)
        await it.time.settle()
    assert [channel.name for channel in it.manager.channels()] == ["new"]


async def test_a_reload_that_is_read_when_the_manager_goes_changes_nothing(it: Scripted, files: Files) -> None:
    files.now = replace(it.plan, channels={"new": channel_plan("new")})
    reloading = asyncio.ensure_future(reload_file(it.manager))
    await it.time.settle()
    await it.manager.close()
    files.reads[0][1].set_result(None)
    with pytest.raises(NoInstance):
        await reloading
    assert len(it.server.dials) == 1


async def test_the_warnings_of_the_file_are_logged(
    it: Scripted, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    files.now = replace(it.plan, warnings=("app.yaml:3:3: endpoints.old: no channel uses this endpoint",))
    reloading = asyncio.ensure_future(reload_file(it.manager))
    await it.time.settle()
    files.reads[0][1].set_result(None)
    await reloading
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == ["app.yaml:3:3: endpoints.old: no channel uses this endpoint"]
