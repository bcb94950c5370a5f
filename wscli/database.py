"""SQLite files of ours: private, durable, recognised as ours before anything in them is believed.

One connection is opened per purpose and thread. WAL with ``synchronous=FULL`` keeps every committed transaction through
a power cut (https://www.sqlite.org/pragma.html#pragma_synchronous); NORMAL only through the process's own death.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from wscli.errors import WscliError

__all__ = [
    "FAULTS",
    "DatabaseError",
    "Kind",
    "fault",
    "lenient_text",
    "may_pass",
    "open_database",
    "savepoint",
    "transaction",
]

FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""What comes of a file that is damaged or cannot be used; SQLite's own words may quote bytes that are no text."""
BUSY = 5.0
"""Seconds to wait for whoever else has the file open."""
_PASSING = ("SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_NOMEM", "SQLITE_PROTOCOL")
_ASIDE = "move the file away, and a new one is made; or mend it with `sqlite3 FILE .recover`"


class DatabaseError(WscliError):
    """A file cannot be used: damaged, another program's, or in a place that cannot be written to."""


class Kind:
    """What a file is for: its number in the file's header, the version of its tables, and the tables themselves.

    ``upgrades`` has, by an earlier version, the statements that lead from it to the next one.
    """

    def __init__(
        self, application_id: int, version: int, schema: str, upgrades: Mapping[int, str] = MappingProxyType({})
    ) -> None:
        self.application_id = application_id
        self.version = version
        self.schema = schema
        self.upgrades = upgrades


def open_database(path: Path, kind: Kind, *, sync: str = "FULL") -> sqlite3.Connection:
    """Open a file, or make it with its directory, readable for its owner alone.

    The connection is in autocommit mode and bound to no thread: its owner sees to it that one uses it at a time.

    Raises:
        DatabaseError: it is no database of this kind, is damaged, or cannot be read and written.

    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))  # SQLite's own files take its mode
        database = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    except OSError as error:
        raise _unusable(path, error) from None
    except sqlite3.Error as error:
        raise fault(path, error) from None
    database.text_factory = lenient_text
    try:
        _prepare(database, path, kind, sync)
    except FAULTS as error:
        database.close()
        raise fault(path, error) from None
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path, kind: Kind, sync: str) -> None:
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (number,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if tables and number != kind.application_id:
        raise DatabaseError(f"{str(path)!r} is a database of another program", _ASIDE)
    if tables and version != kind.version and version not in kind.upgrades:
        raise DatabaseError(
            f"{str(path)!r} is of version {version}, and this wscli reads version {kind.version}", _ASIDE
        )
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(f"PRAGMA synchronous={sync}")
    database.execute("PRAGMA journal_size_limit=16777216")
    database.execute("PRAGMA trusted_schema=OFF")
    database.execute("PRAGMA cell_size_check=ON")
    if not tables:
        with transaction(database):
            _execute_all(database, kind.schema)
            database.execute(f"PRAGMA application_id={kind.application_id}")
            database.execute(f"PRAGMA user_version={kind.version}")
    elif version != kind.version:
        with transaction(database):
            for earlier in range(version, kind.version):
                _execute_all(database, kind.upgrades[earlier])
            database.execute(f"PRAGMA user_version={kind.version}")


def _execute_all(database: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):
        database.execute(statement)


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block does, all of it or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


@contextmanager
def savepoint(database: sqlite3.Connection) -> Iterator[None]:
    """Keep what the block does within the open transaction, all of it or nothing."""
    database.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if database.in_transaction:  # some faults of the disk roll back the whole transaction
            database.execute("ROLLBACK TO part")
            database.execute("RELEASE part")
        raise
    database.execute("RELEASE part")


def lenient_text(raw: bytes) -> str:
    """Read a column of text that may be damaged: its checksum judges it, not its encoding."""
    return raw.decode("utf-8", "surrogateescape")


def fault(path: Path, error: Exception) -> DatabaseError:
    """Put what SQLite reports into words for a person."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or isinstance(error, UnicodeDecodeError):
        return DatabaseError(f"{str(path)!r} is damaged, or no database: {error}", _ASIDE)
    if name.startswith("SQLITE_FULL"):
        return DatabaseError(f"{str(path)!r} cannot grow: the disk is full", "make room on the disk")
    if name.startswith("SQLITE_CANTOPEN") and (shortage := _shortage()) is not None:
        return _unusable(path, shortage)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return DatabaseError(
            f"{str(path)!r} cannot be written to: {error}", "its directory must be writable; XDG_STATE_HOME moves it"
        )
    return DatabaseError(f"{str(path)!r} cannot be used: {error}", "see `wscli logs`")


def may_pass(path: Path, error: Exception) -> bool:
    """Whether reading may work later, since nothing says that the file itself is damaged, or gone."""
    return getattr(error, "sqlite_errorname", "").startswith(_PASSING) and path.exists()


def _shortage() -> OSError | None:
    """Say whether no file at all can be opened: SQLite does not tell why it could not."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error
    return None


def _unusable(path: Path, error: OSError) -> DatabaseError:
    reason = (error.strerror or str(error)).lower()
    hint = "its directory must be writable; XDG_STATE_HOME moves it"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        hint = "raise the limit, by `ulimit -Hn` or LimitNOFILE= of a unit; a history on disk has up to six files"
    return DatabaseError(f"{str(path)!r} cannot be used: {reason}", hint)
