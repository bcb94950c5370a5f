"""What a source keeps for its next fetch: the refresh token that a server gave in place of the declared one."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from hashlib import sha256
from pathlib import Path

from wscli.values import Secret

__all__ = ["TokenMemory", "memory_path"]

_log = logging.getLogger(__name__)

_LARGEST = 1 << 20
"""Bytes of a file that are read."""


def memory_path(directory: Path, token: str) -> Path:
    """Give the file of a token's source: its name with safe characters only, and a hash of it."""
    readable = re.sub(r"[^A-Za-z0-9_-]", "_", token)[:40]
    return directory / f"{readable}.{sha256(token.encode()).hexdigest()[:12]}.token"


class TokenMemory:
    """The rotated refresh token of one source; with a ``path`` also in a file of mode 0600, for the next manager.

    ``declared`` is the source as the configuration declares it: a token that was kept for another one is not used.
    """

    def __init__(self, path: Path | None = None, declared: str = "") -> None:
        self._path = path
        self._declared = sha256(declared.encode("utf-8", "surrogateescape")).hexdigest()
        self._token: Secret | None = None
        self._known = path is None

    async def recall(self) -> Secret | None:
        """Give the token that was kept last; None if there is none."""
        if not self._known:
            token = await asyncio.to_thread(self._read)
            if not self._known:
                self._token, self._known = token, True
        return self._token

    async def keep(self, token: Secret) -> None:
        """Keep a token; it is on disk when this returns or is cancelled: the server may accept no other one now."""
        self._token, self._known = token, True
        if self._path is not None:
            writing = asyncio.get_running_loop().run_in_executor(None, self._write, self._path, token)
            try:
                await asyncio.shield(writing)
            finally:
                await asyncio.wait({writing})

    def forget(self) -> None:
        """Go back to the declared one."""
        self._token, self._known = None, True
        if self._path is not None:
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                _log.warning("a refresh token is not forgotten: %r cannot be removed: %s", str(self._path), _why(error))

    def _read(self) -> Secret | None:
        try:
            with os.fdopen(os.open(str(self._path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                kept = json.loads(file.read(_LARGEST))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            _log.warning("the refresh token in %r cannot be read: %s", str(self._path), type(error).__name__)
            return None
        match kept:
            case {"declared": self._declared, "refresh_token": str(token)}:
                return Secret(token)
        return None

    def _write(self, path: Path, token: Secret) -> None:
        text = json.dumps({"declared": self._declared, "refresh_token": token.reveal()})
        temporary = path.with_name(f"{path.name}.new")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            directory = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)  # the rename as well survives a power cut
            finally:
                os.close(directory)
        except OSError as error:
            _log.warning("a refresh token is not remembered: %r cannot be written: %s", str(path), _why(error))


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
