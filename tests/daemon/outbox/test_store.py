"""The file of the outbox: it keeps accepted messages and their order, sends a key once, and lists what expired."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from wscli.control.messages import QueueOutcome
from wscli.daemon.outbox import schema
from wscli.daemon.outbox import store as store_module
from wscli.daemon.outbox.messages import KEY_LIFETIME, CommitReport
from wscli.daemon.outbox.store import OutboxStore
from wscli.database.opening import DatabaseError
from wscli.errors import NotSent, UsageError, WscliError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OutboxStore]:
    opened = OutboxStore(tmp_path / "app.outbox.db")
    yield opened
    opened.close()


def outcome(number: int, outcome: Any, reason: str | None = None) -> QueueOutcome:
    return QueueOutcome(id=number, outcome=outcome, reason=reason)


def add(store: OutboxStore, *payloads: bytes, ttl: float | None = None, key: str | None = None, now: float = 0) -> int:
    return store.add("calls", payloads, binary=False, ttl=ttl, key=key, now=now)["queued"]


def report(store: OutboxStore) -> CommitReport:
    changed = store.report()
    assert changed is not None
    return changed


def drain(store: OutboxStore, now: float = 0) -> list[bytes]:
    taken, message = [], store.next("calls", now)
    while message is not None:
        taken.append(message.payload)
        message = store.mark_sent(message.id, now)
    return taken


def test_messages_leave_in_order_and_sent_ones_are_deleted(store: OutboxStore) -> None:
    add(store, b"a", b"b")
    add(store, b"c")
    assert drain(store) == [b"a", b"b", b"c"]
    assert store.list() == []


def test_a_failed_attempt_leaves_its_message_first_in_line(store: OutboxStore) -> None:
    add(store, b"a", b"b")
    store.mark_failed(1, "the connection is closed", 0, doubt=False)
    (first, _) = store.list(["calls"])
    assert (first["attempts"], first["reason"], first["state"]) == (1, "the connection is closed", "queued")
    assert drain(store) == [b"a", b"b"]


def test_a_key_is_sent_once_and_forgotten_after_a_week(store: OutboxStore) -> None:
    assert (add(store, b"a", key="k"), add(store, b"b", key="k")) == (1, 0)
    assert drain(store) == [b"a"]
    assert add(store, b"c", key="k", now=KEY_LIFETIME - 1) == 0
    assert store.add("chat", [b"d"], binary=False, ttl=None, key="k", now=0)["queued"] == 1
    assert add(store, b"e", key="k", now=KEY_LIFETIME) == 1


def test_an_expired_message_is_kept_and_its_key_is_free_again(store: OutboxStore) -> None:
    add(store, b"a", ttl=5, key="k")
    assert report(store).next_expiry == 5
    assert drain(store, now=5) == []
    changes = report(store)
    assert (changes.counts, changes.next_expiry) == ({"calls": {"queued": 0, "expired": 1, "rejected": 0}}, None)
    assert changes.outcomes == [outcome(1, "expired")]
    assert add(store, b"b", key="k", now=6) == 1
    assert store.remove_expired() == 1
    assert drain(store, now=6) == [b"b"]


def test_a_rejected_message_is_kept_and_the_next_goes_on(store: OutboxStore) -> None:
    add(store, b"a", b"b")
    store.mark_rejected(1, "not UTF-8")
    assert drain(store) == [b"b"]
    assert [(one["state"], one["reason"]) for one in store.list()] == [("rejected", "not UTF-8")]


def test_messages_are_removed_all_or_none(store: OutboxStore) -> None:
    add(store, b"a", b"b", b"c")
    with pytest.raises(UsageError, match="no message 9 is in the outbox"):
        store.remove([1, 9])
    assert store.remove([1]) == 1
    assert store.remove_channel("calls") == (2, False)


def test_a_block_over_a_limit_is_refused_whole(store: OutboxStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MAX_MESSAGES", 3)
    monkeypatch.setattr(schema, "MAX_OUTBOX_BYTES", 1 << 20)
    add(store, b"a", b"b")
    with pytest.raises(NotSent, match="full: it holds 2 of 3 messages"):
        add(store, b"c", b"d")
    with pytest.raises(NotSent, match="full: it holds 2 bytes of 1 MiB"):
        add(store, bytes(1 << 20))
    assert drain(store) == [b"a", b"b"]


def test_a_foreign_or_damaged_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    foreign, damaged = tmp_path / "foreign.db", tmp_path / "damaged.db"
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE things (name)")
    database.close()
    damaged.write_bytes(b"no database" * 1000)
    for path, words in ((foreign, "another program"), (damaged, "damaged, or no database")):
        before = path.read_bytes()
        with pytest.raises(DatabaseError, match=words):
            OutboxStore(path)
        assert path.read_bytes() == before


def test_beyond_a_number_of_keys_the_oldest_is_forgotten(store: OutboxStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MAX_KEYS", 2)
    for second, key in enumerate("abc"):
        add(store, b"m", key=key, now=second)
        drain(store, now=second)
    assert [add(store, b"m", key=key, now=3) for key in "cba"] == [0, 0, 1]


def test_a_message_that_is_being_sent_is_neither_removed_nor_expired(store: OutboxStore) -> None:
    add(store, b"a", b"b", ttl=5)
    assert store.next("calls", 0) == (1, b"a", False, 5)
    store.expire(now=9)
    assert [one["state"] for one in store.list()] == ["queued", "expired"]
    with pytest.raises(WscliError, match="message 1 is being sent at this moment, and none was removed") as refused:
        store.remove([2, 1])
    assert refused.value.hint
    assert store.remove_channel("calls") == (1, True)
    store.mark_failed(1, "the connection is closed", 9, doubt=False)
    assert [(one["state"], one["reason"]) for one in store.list()] == [("expired", "the connection is closed")]


def test_a_doubt_outlives_later_attempts(store: OutboxStore) -> None:
    add(store, b"a", ttl=5)
    for reason, doubt in (("it ended", True), ("it is closed", False)):
        message = store.next("calls", 0)
        assert message is not None
        store.mark_failed(message.id, reason, 0, doubt=doubt)
    store.expire(5)
    assert report(store).outcomes == [outcome(1, "unknown", "it may have been sent: it ended")]


def test_the_first_message_is_in_doubt_after_a_kill_and_not_after_a_close(store: OutboxStore, tmp_path: Path) -> None:
    add(store, b"a", b"b", ttl=5)
    (tmp_path / "killed").mkdir()
    for file in tmp_path.glob("*.db*"):
        shutil.copy(file, tmp_path / "killed")
    for expected in (["unknown", "expired"], []):
        again = OutboxStore(tmp_path / "killed" / "app.outbox.db")
        again.expire(5)
        assert [one["outcome"] for one in report(again).outcomes] == expected
        again.close()
    store.close()
    clean = OutboxStore(tmp_path / "app.outbox.db")
    clean.expire(5)
    assert [one["outcome"] for one in report(clean).outcomes] == ["expired", "expired"]
    clean.close()


def test_calls_share_a_commit_and_a_refused_call_changes_none_of_the_others(
    store: OutboxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "MAX_MESSAGES", 2)
    statements: list[str] = []
    store._database.set_trace_callback(statements.append)
    first, second, third, none = store.together(
        [
            lambda store: add(store, b"a"),
            lambda store: add(store, b"b", b"c"),
            lambda store: add(store, b"d"),
            lambda store: store.remove([9]),
        ]
    )
    assert (first, third, type(second), type(none)) == (1, 1, NotSent, UsageError)
    assert statements.count("COMMIT") == 1
    assert drain(store) == [b"a", b"d"]


def test_a_call_that_the_disk_refuses_does_not_stop_the_others(store: OutboxStore) -> None:
    add(store, b"a")
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count={pages}")
    assert store.next("calls", 0) is not None
    calls = [
        lambda store: store.mark_sent(1, 0),
        lambda store: add(store, bytes(100_000)),
        lambda store: add(store, b"b"),
    ]
    none, refused, one = store.together(calls)
    assert (none, one) == (None, 1)
    assert "the disk is full" in str(refused)
    assert drain(store) == [b"b"]


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_an_earlier_version_is_taken_up(tmp_path: Path, version: int) -> None:
    path = tmp_path / "one.db"
    store = OutboxStore(path)
    add(store, b"a", b"b")
    store.close()
    with closing(sqlite3.connect(path)) as database:
        database.executescript("DROP INDEX by_channel; CREATE INDEX by_channel ON messages (state, channel)")
        if version == 1:
            database.executescript(
                "ALTER TABLE messages DROP COLUMN doubt; CREATE INDEX by_size ON messages (state, size)"
            )
        database.execute(f"PRAGMA user_version={version}")
    store = OutboxStore(path)
    add(store, b"c")
    assert drain(store) == [b"a", b"b", b"c"]
    store.close()
