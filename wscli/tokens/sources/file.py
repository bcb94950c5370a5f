"""``file: PATH``: a file, read at each fetch."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from wscli.tokens.errors import SourceFailed
from wscli.tokens.fetcher import FetchContext, SourceAnswer, TokenFetcher
from wscli.values import Scalar, Secret, shown

__all__ = ["File", "FileSource"]

_MAX_SIZE = 64 << 10


@dataclass(frozen=True, slots=True)
class FileSource(TokenFetcher):
    """A regular file of at most 64 KiB; a relative path starts at the YAML file."""

    path: str = field(repr=False)
    shown: str

    async def fetch(self, context: FetchContext) -> SourceAnswer:
        """Read the file; only a regular file is read, which never blocks."""
        return SourceAnswer(Secret(self._read(context.base)))

    def _read(self, base: Path) -> str:
        path = base / Path(self.path).expanduser()
        try:
            # Without O_NONBLOCK, opening a FIFO would wait for its writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            why = (error.strerror or "").lower() if isinstance(error, OSError) else "not a path"
            raise SourceFailed(f"cannot read the file '{self.shown}': {why}") from None
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                what = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
                raise SourceFailed(f"cannot read the file '{self.shown}': it is {what}")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(_MAX_SIZE + 1)
        finally:
            os.close(descriptor)
        if len(data) > _MAX_SIZE:
            raise SourceFailed(f"cannot read the file '{self.shown}': it is larger than {_MAX_SIZE >> 10} KiB")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SourceFailed(f"the file '{self.shown}' is not UTF-8") from None


def _parse(value: object) -> FileSource:
    if isinstance(value, FileSource):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError(f"invalid path: {shown(value)}; write file: session.token")
    return FileSource(str(value), value.redacted if isinstance(value, Scalar) else value)


File = Annotated[FileSource, PlainValidator(_parse), WithJsonSchema({"type": "string", "examples": ["session.token"]})]
