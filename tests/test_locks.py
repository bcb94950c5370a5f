"""Locks of files: one holder, which is named, and no file of another that is removed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wscli.locks import LockHeld, is_same_file, lock_file, release_lock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.lock"


def test_a_second_lock_is_refused_and_names_the_process_that_holds_it(path: Path) -> None:
    first = lock_file(path, "in /run/ä b")
    with pytest.raises(LockHeld) as caught:
        lock_file(path)
    assert (caught.value.pid, caught.value.note) == (os.getpid(), "in /run/ä b")
    assert path.stat().st_mode & 0o777 == 0o600
    os.close(first)
    os.close(lock_file(path))


def test_the_lock_of_a_killed_process_is_free_and_gets_the_pid_of_the_next(path: Path) -> None:
    killed = (
        "import os, sys; from pathlib import Path; from wscli.locks import lock_file;"
        "lock_file(Path(sys.argv[1]), 'x' * 100); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(path)], check=False).returncode == -9
    assert path.exists()
    os.close(lock_file(path))
    assert path.read_text() == f"{os.getpid()}\n\n"


@pytest.mark.parametrize("content", ["", "x\n", "-1\n", "9" * 40])
def test_a_holder_that_wrote_no_pid_is_still_the_holder(path: Path, content: str) -> None:
    first = lock_file(path)
    path.write_text(content)
    with pytest.raises(LockHeld) as caught:
        lock_file(path)
    assert caught.value.pid is None
    os.close(first)


def test_a_removed_lock_is_noticed_and_the_file_of_another_is_never_removed(path: Path) -> None:
    first = lock_file(path)
    path.unlink()
    assert not is_same_file(first, path)
    second = lock_file(path)
    release_lock(first, path)
    assert is_same_file(second, path)
    release_lock(second, path)
    assert not path.exists()


def test_what_is_not_a_regular_file_is_not_locked(path: Path, tmp_path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        lock_file(path)
    (tmp_path / "directory.lock").mkdir()
    with pytest.raises(IsADirectoryError):
        lock_file(tmp_path / "directory.lock")
    (tmp_path / "link.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        lock_file(tmp_path / "link.lock")
    assert not (tmp_path / "elsewhere").exists()
