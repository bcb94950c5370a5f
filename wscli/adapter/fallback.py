"""What happens to a connection that the manager cannot hold: WSCLI_FALLBACK decides."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Mapping

from websockets.exceptions import ConnectionClosed
from websockets.headers import build_host
from websockets.uri import parse_uri

from wscli.adapter.attach import attach
from wscli.control.text import escape
from wscli.errors import NoInstance, UsageError, WscliError

__all__ = ["attach_or_fall_back", "check_choice", "fall_back", "manager_gone"]

logger = logging.getLogger("wscli.adapter")

_CHOICES = ("direct", "error")
_lock = threading.Lock()
_told = False


def check_choice(environ: Mapping[str, str] = os.environ) -> str:
    """Give the choice: ``direct``, which is the default, or ``error``.

    Raises:
        UsageError: it is another.
    """
    choice = environ.get("WSCLI_FALLBACK") or "direct"
    if choice not in _CHOICES:
        raise UsageError(f"WSCLI_FALLBACK is {choice!r}", "set it to 'direct' or 'error', or unset it")
    return choice


def attach_or_fall_back(url: str, *, within: float | None) -> socket.socket | None:
    """Connect to the manager that has the channel of a URL, within so many seconds; None: the URL is dialled directly.

    Raises:
        WscliError: there is none, or it does not answer, and a direct connection is not the choice.
        UsageError: the choice is invalid.
    """
    check_choice()
    try:
        return attach(url, os.environ, within=within)
    except WscliError as error:
        fall_back(error, url)
        return None


def fall_back(error: WscliError, url: str, environ: Mapping[str, str] = os.environ) -> None:
    """Say why a URL is dialled directly: the first of a process as a warning, the others for who debugs.

    Neither the URL's query nor its user is said.

    Raises:
        WscliError: the error itself, where that is the choice.
    """
    if check_choice(environ) == "error":
        raise error
    uri = parse_uri(url)
    shown = f"{'wss' if uri.secure else 'ws'}://{build_host(uri.host, uri.port, uri.secure)}{uri.path or '/'}"
    reason = f"{error.message} ({error.hint})" if error.hint else error.message
    global _told
    with _lock:
        level, _told = logging.DEBUG if _told else logging.WARNING, True
    logger.log(level, "%s is dialled directly, and not shared: %s", escape(shown), escape(reason))


def manager_gone(error: Exception) -> NoInstance | None:
    """Give the reason to fall back where a handshake with a manager failed because it hung up; None otherwise."""
    if isinstance(error, (ConnectionClosed, EOFError)) or isinstance(error.__cause__, EOFError):
        return NoInstance("the manager went away during the handshake", "see `wscli ls`")
    return None
