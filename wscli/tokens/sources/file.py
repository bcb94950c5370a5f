"""``file: PATH``: a file, read anew at each fetch."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from wscli.tokens.failed import SourceFailed
from wscli.tokens.fetch import Answer, FetchContext
from wscli.values import Scalar, Secret, shown

__all__ = ["File", "FileSource"]

_LARGEST = 64 << 10


@dataclass(frozen=True, slots=True)
class FileSource:
    """A regular file of at most 64 KiB; a relative path starts at the YAML file."""

    path: str = field(repr=False)
    shown: str

    async def fetch(self, context: FetchContext) -> Answer:
        """Read it. A regular file never keeps a reader waiting, and one of another kind is not read."""
        return Answer(Secret(self._read(context.base)))

    def _read(self, base: Path) -> str:
        path = base / Path(self.path).expanduser()
        try:
            # Without O_NONBLOCK the opening of a FIFO would wait for its writer.
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
                data = file.read(_LARGEST + 1)
        finally:
            os.close(descriptor)
        if len(data) > _LARGEST:
            raise SourceFailed(f"cannot read the file '{self.shown}': it is larger than {_LARGEST >> 10} KiB")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SourceFailed(f"the file '{self.shown}' is not UTF-8") from None

    def references(self) -> frozenset[str]:
        """None."""
        return frozenset()


def _parse(value: object) -> FileSource:
    if isinstance(value, FileSource):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError(f"{shown(value)} is not a path; write file: session.token")
    return FileSource(str(value), value.redacted if isinstance(value, Scalar) else value)


File = Annotated[FileSource, PlainValidator(_parse), WithJsonSchema({"type": "string", "examples": ["session.token"]})]
