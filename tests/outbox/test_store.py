"""The outbox on the disk: nothing accepted is lost, a key is sent once, and what expires is still there to see."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from wscli.database import DatabaseError
from wscli.errors import NotSent, UsageError
from wscli.outbox import store as store_module
from wscli.outbox.books import Fate
from wscli.outbox.ledger import REMEMBERED
from wscli.outbox.store import OutboxStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OutboxStore]:
    opened = OutboxStore(tmp_path / "app.outbox.db")
    yield opened
    opened.close()


def add(store: OutboxStore, *payloads: bytes, ttl: float | None = None, key: str | None = None, now: float = 0) -> int:
    return store.add("calls", payloads, binary=False, ttl=ttl, key=key, now=now).new


def drain(store: OutboxStore, now: float = 0) -> list[bytes]:
    taken, message = [], store.next("calls", now)
    while message is not None:
        taken.append(message.payload)
        message = store.mark_sent(message.id, now)
    return taken


def test_messages_leave_in_order_and_a_sent_one_is_forgotten(store: OutboxStore) -> None:
    add(store, b"a", b"b")
    add(store, b"c")
    assert drain(store) == [b"a", b"b", b"c"]
    assert store.list() == []


def test_a_failed_attempt_leaves_it_first_in_line(store: OutboxStore) -> None:
    add(store, b"a", b"b")
    store.mark_failed(1, "the connection is closed", 0, doubt=False)
    (first, _) = store.list(["calls"])
    assert (first["attempts"], first["reason"], first["state"]) == (1, "the connection is closed", "queued")
    assert drain(store) == [b"a", b"b"]


def test_a_key_is_sent_once_and_forgotten_after_a_week(store: OutboxStore) -> None:
    assert (add(store, b"a", key="k"), add(store, b"b", key="k")) == (1, 0)
    assert drain(store) == [b"a"]
    assert add(store, b"c", key="k", now=REMEMBERED - 1) == 0
    assert store.add("chat", [b"d"], binary=False, ttl=None, key="k", now=0).new == 1
    assert add(store, b"e", key="k", now=REMEMBERED) == 1


def test_what_expired_is_kept_and_its_key_is_free_again(store: OutboxStore) -> None:
    add(store, b"a", ttl=5, key="k")
    assert store.changes().next_expiry == 5
    assert drain(store, now=5) == []
    changes = store.changes()
    assert (changes.counts, changes.next_expiry) == ({"calls": {"queued": 0, "expired": 1, "rejected": 0}}, None)
    assert changes.fates == [Fate(1, "expired")]
    assert add(store, b"b", key="k", now=6) == 1
    assert store.remove_expired() == 1
    assert drain(store, now=6) == [b"b"]


def test_what_is_rejected_is_kept_and_the_next_goes_on(store: OutboxStore) -> None:
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


def test_over_a_limit_nothing_is_accepted_and_nothing_lost(store: OutboxStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MOST_MESSAGES", 3)
    monkeypatch.setattr(store_module, "MOST_BYTES", 1 << 20)
    add(store, b"a", b"b")
    with pytest.raises(NotSent, match="full: it holds 2 of 3 messages"):
        add(store, b"c", b"d")
    with pytest.raises(NotSent, match="full: it holds 2 bytes of 1 MiB"):
        add(store, bytes(1 << 20))
    assert drain(store) == [b"a", b"b"]


def test_a_full_database_refuses_and_keeps_what_it_has(store: OutboxStore) -> None:
    add(store, b"a")
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(DatabaseError, match="the disk is full"):
        add(store, bytes(100_000))
    assert drain(store) == [b"a"]


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


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes wherever it likes")
def test_a_read_only_directory_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DatabaseError, match="permission denied"):
        OutboxStore(tmp_path / "app.outbox.db")
