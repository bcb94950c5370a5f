"""``file:`` reads a regular file, anew each time, and never waits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wscli.tokens.errors import SourceFailed
from wscli.tokens.fetcher import FetchContext
from wscli.tokens.models import TokenSource
from wscli.values import Scalar


async def fetched(context: FetchContext, path: str) -> str:
    return (await TokenSource.model_validate({"file": path}).fetch(context)).text.reveal()


async def test_the_file_is_read_anew_at_each_fetch_and_trimmed(context: FetchContext, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("one\n")
    assert await fetched(context, "t") == "one"
    (tmp_path / "new").write_bytes(b"\xef\xbb\xbftwo\r\n")
    (tmp_path / "new").replace(tmp_path / "t")
    assert await fetched(context, str(tmp_path / "t")) == "two"


async def test_a_home_directory_is_found(
    context: FetchContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "t").write_text("home")
    context.base = tmp_path / "elsewhere"
    assert await fetched(context, "~/t") == "home"


async def test_what_is_no_small_regular_file_is_refused(context: FetchContext, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "huge").write_bytes(b"x" * ((64 << 10) + 1))
    (tmp_path / "latin").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "loop").symlink_to("loop")
    expected = {
        "gone": "cannot read the file 'gone': no such file or directory",
        "directory": "cannot read the file 'directory': it is a directory",
        "fifo": "cannot read the file 'fifo': it is not a regular file",
        "huge": "cannot read the file 'huge': it is larger than 64 KiB",
        "latin": "the file 'latin' is not UTF-8",
        "empty": "the token is empty",
        "loop": "cannot read the file 'loop': too many levels of symbolic links",
        "a\0b": "cannot read the file 'a\0b': not a path",
    }
    for path, text in expected.items():
        with pytest.raises(SourceFailed) as caught:
            await fetched(context, path)
        assert caught.value.text == text


async def test_a_path_from_the_environment_is_not_shown(context: FetchContext) -> None:
    source = TokenSource.model_validate({"file": Scalar("/hunter2/t", redacted="/***/t")})
    with pytest.raises(SourceFailed, match=r"'/\*\*\*/t'"):
        await source.fetch(context)
