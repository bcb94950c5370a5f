"""A file of the outbox that somebody removes or spoils under the manager: messages are saved, or their loss is told."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.daemon.outbox.test_service import Scene, scene
from tests.waiting import eventually
from wscli.core.states import ChannelState
from wscli.daemon.outbox import service
from wscli.daemon.outbox.schema import OutboxFile
from wscli.daemon.outbox.store import OutboxStore
from wscli.database.opening import DatabaseError

__all__ = ["scene"]


def removed(path: Path) -> None:
    path.unlink()


def removed_with_its_directory(path: Path) -> None:
    shutil.rmtree(path.parent)


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"garbage " * 1000)
    other.rename(path)


def log_removed(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def checkpointed(path: Path) -> None:
    """Copy the log into the file, as a tool for backups does."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def spoiled(path: Path) -> None:
    """Cut off the file and its log: what it held is gone."""
    os.truncate(path, 0)
    os.truncate(f"{path}-wal", 0)


@pytest.fixture
def _quick_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LOOK", 0.01)


@pytest.mark.parametrize("lose", [removed, removed_with_its_directory, replaced, log_removed])
def test_messages_of_a_lost_file_are_written_to_a_new_one(tmp_path: Path, lose: Callable[[Path], None]) -> None:
    path = tmp_path / "app" / "outbox.db"
    store = OutboxStore(path)
    store.add("calls", [b"a", b"b"], binary=False, ttl=None, key=None, now=0)
    store.together([])
    first = store.next("calls", 0)
    lose(path)
    assert store.changed()
    store.renew_if_lost()
    assert not store.changed()
    report = store.report()
    assert report is not None
    assert report.loss is not None
    assert report.loss.upto == 0
    assert "written to a new one" in report.loss.text
    assert first is not None
    assert store.remove_channel("calls") == (1, True), "the message that is being sent is still held"
    store.close()
    again = OutboxStore(path)
    assert [row["id"] for row in again.list()] == [first.id]
    again.close()


def test_a_checkpoint_of_another_program_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    store = OutboxStore(path)
    store.add("calls", [b"a" * 5000], binary=False, ttl=None, key=None, now=0)
    store.together([])
    checkpointed(path)
    assert store.changed()
    store.renew_if_lost()
    assert not store.changed()
    report = store.report()
    assert report is not None
    assert report.loss is None
    store.close()


@pytest.mark.usefixtures("_quick_look")
async def test_a_quiet_outbox_notices_that_its_file_went(scene: Scene, tmp_path: Path) -> None:
    await scene.outbox.start()
    await scene.bring(ChannelState.CONNECTING)
    await scene.queue(b"a", b"b")
    path = tmp_path / "wscli" / "app" / "outbox.db"
    removed(path)
    await eventually(path.exists)
    await scene.bring(ChannelState.READY)
    await scene.outbox.flush()
    assert scene.sent() == [b"a", b"b"]


async def test_messages_that_cannot_be_saved_are_a_problem_and_their_outcome_is_unknown(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.bring(ChannelState.CONNECTING)
    with scene.outbox.waiting() as waiter:
        await scene.queue(b"a", b"b", waiter=waiter)
        monkeypatch.setattr(OutboxFile, "_copy", lambda self: None)
        spoiled(tmp_path / "wscli" / "app" / "outbox.db")
        receipt = await scene.queue(b"c")
        assert receipt["first"] == 3, "numbers go on"
        outcomes = await waiter.news()
    assert [(one["id"], one["outcome"]) for one in outcomes] == [(1, "unknown"), (2, "unknown")]
    (problem,) = scene.it.manager.problems.texts()
    assert "truncated while it was in use; the messages up to 2 are lost" in problem
    assert scene.outbox.counts("calls")["queued"] == 1
    await scene.bring(ChannelState.READY)
    await scene.outbox.flush()
    assert scene.sent() == [b"c"]


async def test_a_message_that_was_being_sent_as_the_file_was_lost_stops_no_delivery(
    scene: Scene, tmp_path: Path
) -> None:
    store = OutboxStore(tmp_path / "other.db")
    for mark in (store.mark_sent(7, 0), store.mark_failed(7, "closed", 0, doubt=True), store.mark_rejected(7, "x")):
        assert mark is None
    store.close()


def test_a_second_manager_of_the_outbox_is_refused_and_the_first_one_named(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.db")
    with pytest.raises(DatabaseError, match=f"is in use by pid {os.getpid()}"):
        OutboxStore(tmp_path / "outbox.db")
    store.close()


def test_the_file_of_a_second_manager_that_took_the_lock_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    store = OutboxStore(path)
    store.add("calls", [b"a"], binary=False, ttl=None, key=None, now=0)
    for file in tmp_path.iterdir():
        file.unlink()
    second = OutboxStore(path)
    with pytest.raises(DatabaseError, match="is in use by pid"):
        store.renew_if_lost()
    second.add("calls", [b"b"], binary=False, ttl=None, key=None, now=0)
    second.close()
    again = OutboxStore(path)
    assert [row["size"] for row in again.list()] == [1]
    again.close()
