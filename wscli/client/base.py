"""What both clients of the Python API share: which manager they speak to."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wscli.control.selection import Selection
from wscli.errors import UsageError

__all__ = ["ManagerClient"]


class ManagerClient:
    """The choice of a manager; it is looked up at every call, so that a client outlives managers.

    Args:
        instance: its name, as ``-i``.
        file: its YAML file, as ``-c``.
        environ: the environment, with WSCLI_INSTANCE and the like.

    With neither, it is chosen as the commands do: WSCLI_INSTANCE, ``./wscli.yaml`` or a parent's, the only one running.

    Raises:
        UsageError: both are given.
    """

    def __init__(
        self,
        instance: str | None = None,
        *,
        file: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        if instance is not None and file is not None:
            raise UsageError("instance and file both choose a manager", "give one of them")
        self._selection = Selection(instance, None if file is None else os.fspath(file))
        self._environ = environ

    def __repr__(self) -> str:
        name, file = self._selection
        chosen = "" if name is None and file is None else repr(name) if file is None else f"file={file!r}"
        return f"{type(self).__name__}({chosen})"
