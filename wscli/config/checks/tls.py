"""The files of ``tls:``, which must exist when the configuration is loaded."""

from __future__ import annotations

from pathlib import Path

from wscli.config.checks.context import Context
from wscli.config.models.fields import expand_home
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch
from wscli.values import shown

__all__ = ["check_tls", "check_tls_files"]


def check_tls_files(located: Located | None, context: Context) -> None:
    """Check that ``ca``, ``cert`` and ``key`` are files that can be read."""
    for named in (located.get("ca"), located.get("cert"), located.get("key")) if located is not None else ():
        if named is None or named.text is None or context.problems.at(named.mark):
            continue
        try:
            wrong = _unreadable(context.base / expand_home(named.text))
        except ValueError as error:
            wrong = str(error)
        if wrong:
            context.add(named, f"{shown(named.text)}: {wrong}")


def _unreadable(path: Path) -> str | None:
    try:
        if path.is_dir():
            return "this is a directory, not a file"
        if not path.exists():
            return "there is no such file; a relative path starts at this file's directory"
        if path.is_file():  # opening a FIFO would wait for its writer
            path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "invalid path"
        return f"this file cannot be read: {reason.lower()}"
    return None


def check_tls(located: Located | None, context: Context, *, secure: bool) -> None:
    """Check the ``tls:`` of an endpoint, ``secure`` being whether its url is wss://."""
    check_tls_files(located, context)
    if not secure and located is not None and isinstance(located.node, Branch):
        context.add(located, "a ws:// or unix: url has no TLS; write wss://, or leave 'tls:' out", key=True)
