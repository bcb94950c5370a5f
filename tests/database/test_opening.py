"""A database of ours is private, is refused when it is another's or damaged, and keeps a transaction whole."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from wscli.database.opening import DatabaseError, Kind, fault, open_database, transaction

KIND = Kind(0x77736374, 1, "CREATE TABLE things (number INTEGER PRIMARY KEY, name TEXT)")


def test_a_database_and_its_directory_are_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "wscli" / "one.db"
    database = open_database(path, KIND)
    database.execute("INSERT INTO things VALUES (1, 'a')")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"one.db": 0o600, "one.db-wal": 0o600, "one.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()
    again = open_database(path, KIND, sync="NORMAL")
    assert again.execute("SELECT name FROM things").fetchall() == [("a",)]
    assert again.execute("PRAGMA synchronous").fetchone() == (1,)
    again.close()


def test_a_transaction_is_whole_or_nothing(tmp_path: Path) -> None:
    database = open_database(tmp_path / "one.db", KIND)

    def half() -> None:
        with transaction(database):
            database.execute("INSERT INTO things VALUES (1, 'a')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert database.execute("SELECT count(*) FROM things").fetchone() == (0,)
    database.close()


def test_an_earlier_version_is_brought_up_to_date_where_there_is_a_way(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    database = open_database(path, KIND)
    database.execute("INSERT INTO things VALUES (1, 'a')")
    database.close()
    upgrades = {1: "ALTER TABLE things ADD COLUMN size INTEGER", 2: "ALTER TABLE things ADD COLUMN colour TEXT"}
    third = Kind(KIND.application_id, 3, "unused", upgrades)
    for _ in range(2):
        database = open_database(path, third)
        assert database.execute("SELECT * FROM things").fetchall() == [(1, "a", None, None)]
        database.close()


def other_program(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE bookmarks (url TEXT)")
    database.commit()
    database.close()


def later_version(path: Path) -> None:
    open_database(path, Kind(KIND.application_id, 2, KIND.schema)).close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (other_program, "is a database of another program"),
        (later_version, "is of version 2, and this wscli reads version 1"),
        (lambda path: path.write_bytes(b"not a database, but long enough to look at" * 40), "is damaged"),
        (lambda path: path.mkdir(), "cannot be used: is a directory"),
        (lambda path: path.symlink_to("/etc/passwd"), "cannot be used: too many levels of symbolic links"),
    ],
)
def test_a_file_of_another_program_is_refused_and_unchanged(tmp_path: Path, make: object, words: str) -> None:
    path = tmp_path / "one.db"
    make(path)  # type: ignore[operator]  # each entry takes a path
    before = path.read_bytes() if path.is_file() and not path.is_symlink() else None
    with pytest.raises(DatabaseError, match=words) as raised:
        open_database(path, KIND)
    assert repr(str(path)) in str(raised.value)
    assert raised.value.hint
    if before is not None:
        assert path.read_bytes() == before


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match=r"cannot be used: (file exists|not a directory)"):
        open_database(tmp_path / "file" / "one.db", KIND)


@pytest.mark.skipif(not Path("/proc/sys").exists(), reason="needs a place that nobody can write to")
def test_a_read_only_place_is_an_error() -> None:
    with pytest.raises(DatabaseError, match="cannot be used"):
        open_database(Path("/proc/sys/wscli/one.db"), KIND)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SQLITE_FULL", "the disk is full"),
        ("SQLITE_READONLY_DBMOVED", "cannot be written to"),
        ("SQLITE_CORRUPT", "is damaged"),
        ("SQLITE_IOERR_FSYNC", "cannot be used"),
    ],
)
def test_every_error_of_sqlite_has_words(name: str, words: str) -> None:
    error = sqlite3.OperationalError("as SQLite says")
    error.sqlite_errorname = name
    assert words in fault(Path("/x.db"), error).message
