"""SQLite files: private, durable, and opened only if their header names wscli.

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
from typing import NamedTuple

from wscli.errors import WscliError

__all__ = [
    "FAULTS",
    "DatabaseDamaged",
    "DatabaseError",
    "Kind",
    "fault",
    "lenient_text",
    "may_pass",
    "open_database",
    "savepoint",
    "transaction",
    "unusable",
]

FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""Errors of a file that is damaged or unusable; a message of SQLite may quote bytes that are not UTF-8."""
BUSY = 5.0
"""Seconds to wait for another connection's lock."""
_PASSING = ("SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_NOMEM", "SQLITE_PROTOCOL")
_SETTINGS = ("journal_size_limit=16777216", "trusted_schema=OFF", "cell_size_check=ON")
_ASIDE = "move the file away, and a new one is made; or mend it with `sqlite3 FILE .recover`"


class DatabaseError(WscliError):
    """A file is damaged, belongs to another program, or cannot be written."""


class DatabaseDamaged(DatabaseError):
    """A file is damaged, or not one of ours."""


class Kind(NamedTuple):
    """A kind of file: the application id in its header, the version of its schema, and the schema.

    ``upgrades`` maps an earlier version to the statements that upgrade it to the next one.
    """

    application_id: int
    version: int
    schema: str
    upgrades: Mapping[int, str] = {}


def open_database(path: Path, kind: Kind, *, sync: str = "FULL") -> sqlite3.Connection:
    """Open a file, or create it with its directory, readable by its owner only.

    The connection is in autocommit mode and not bound to a thread; its owner serialises its use.

    Raises:
        DatabaseError: it is not a database of this kind, is damaged, or cannot be read and written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))  # the files beside it take its mode
        database = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    except OSError as error:
        raise unusable(path, error) from None
    except sqlite3.Error as error:
        raise fault(path, error) from None
    database.text_factory = lenient_text
    try:
        _prepare(database, path, kind, sync)
    except BaseException as error:
        database.close()
        if isinstance(error, FAULTS):
            raise fault(path, error) from None
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path, kind: Kind, sync: str) -> None:
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (number,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if tables and number != kind.application_id:
        raise DatabaseDamaged(f"{str(path)!r} is a database of another program", _ASIDE)
    if tables and version != kind.version and version not in kind.upgrades:
        raise DatabaseDamaged(
            f"{str(path)!r} is of version {version}, and this wscli reads version {kind.version}", _ASIDE
        )
    for setting in ("journal_mode=WAL", f"synchronous={sync}", *_SETTINGS):
        database.execute(f"PRAGMA {setting}")
    if not tables or version != kind.version:
        steps = [kind.upgrades[earlier] for earlier in range(version, kind.version)] if tables else [kind.schema]
        marks = f"PRAGMA application_id={kind.application_id}; PRAGMA user_version={kind.version}"
        with transaction(database):
            for statement in ";".join((*steps, marks)).split(";"):
                database.execute(statement)


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Commit all changes of the block, or none."""
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
    """Decode a column of text that may be damaged; its checksum detects that."""
    return raw.decode("utf-8", "surrogateescape")


def fault(path: Path, error: Exception) -> DatabaseError:
    """Translate an error of SQLite."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or isinstance(error, UnicodeDecodeError):
        return DatabaseDamaged(f"{str(path)!r} is damaged, or no database: {error}", _ASIDE)
    if name.startswith("SQLITE_FULL"):
        return DatabaseError(f"{str(path)!r} cannot grow: the disk is full", "make room on the disk")
    if name.startswith("SQLITE_CANTOPEN") and (shortage := _shortage()) is not None:
        return unusable(path, shortage)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return DatabaseError(
            f"{str(path)!r} cannot be written to: {error}", "its directory must be writable; XDG_STATE_HOME moves it"
        )
    return DatabaseError(f"{str(path)!r} cannot be used: {error}", "see `wscli logs`")


def may_pass(path: Path, error: Exception) -> bool:
    """Whether reading may work later: the error does not say that the file is damaged or gone."""
    return getattr(error, "sqlite_errorname", "").startswith(_PASSING) and path.exists()


def _shortage() -> OSError | None:
    """Return the error of opening any file, since SQLite does not report why it could not."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error
    return None


def unusable(path: Path, error: OSError) -> DatabaseError:
    """Translate an error of the system."""
    reason = (error.strerror or str(error)).lower()
    hint = "its directory must be writable; XDG_STATE_HOME moves it"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        hint = "raise the limit, by `ulimit -Hn` or LimitNOFILE= of a unit; a history on disk has up to seven files"
    return DatabaseError(f"{str(path)!r} cannot be used: {reason}", hint)
