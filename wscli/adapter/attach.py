"""Asks the managers that run for the channel of a URL; blocks, for a few seconds at most."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from shlex import quote

from wscli.control.client import ManagerConnection
from wscli.control.paths import Instance, registered
from wscli.control.selection import dial, find_file
from wscli.errors import NoInstance, UnknownChannel, WscliError

__all__ = ["ATTACH_PATIENCE", "Inquiry", "attach"]

ATTACH_PATIENCE = 2.0
"""Seconds for one manager to answer."""
_LONGEST = 8 << 10
"""Characters of a URL that is worth asking for: a request's line is of 64 KiB at most, and so is one over HTTP."""


def attach(url: str, environ: Mapping[str, str], *, within: float | None = None) -> socket.socket:
    """Give a blocking connection to a manager that goes on as the WebSocket of the URL's channel.

    The manager is the one that commands would mean; where nothing chooses among several, each of them is asked.

    Args:
        url: ws:// or wss://.
        environ: where the managers are found.
        within: seconds for each of them, where that is less than ``ATTACH_PATIENCE``.

    Raises:
        NoInstance: none runs.
        UnknownChannel: it has no such channel, and neither has another.
        WscliError: one did not answer, or speaks another version.
    """
    if len(url) > _LONGEST:
        raise UnknownChannel(f"a URL of {len(url)} characters belongs to no channel")
    patience = ATTACH_PATIENCE if within is None else min(ATTACH_PATIENCE, within)
    refusals: list[WscliError] = []
    candidates, none_runs = _candidates(environ)
    for instance in candidates:
        try:
            sock = dial(instance, environ, patience=0)
            if sock is not None:
                return _attached(ManagerConnection(instance, sock), url, patience)
        except WscliError as error:
            refusals.append(error)
    for refusal in refusals:
        if not isinstance(refusal, UnknownChannel):
            raise refusal  # one that did not answer may have the channel
    if len(refusals) > 1:
        raise UnknownChannel(f"none of {len(refusals)} running instances has a channel of this URL", refusals[0].hint)
    raise refusals[0] if refusals else none_runs


class Inquiry:
    """``attach`` in a thread of an event loop that may lose its interest: then nothing stays open."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self._url = url
        self._environ = environ
        self._sockets: list[socket.socket] = []
        self._dropped = threading.Event()

    def run(self) -> socket.socket:
        """Ask; in a thread."""
        sock = attach(self._url, self._environ)
        self._sockets.append(sock)
        if self._dropped.is_set():
            sock.close()
        return sock

    def drop(self) -> None:
        """Close its connection, now or as soon as it is open; in the loop."""
        self._dropped.set()
        for sock in self._sockets:
            sock.close()


def _candidates(environ: Mapping[str, str]) -> tuple[list[Instance], NoInstance]:
    """Give the managers that are meant, dead ones included, and the error if none of them runs."""
    try:
        found = registered(environ)
    except OSError as error:
        raise NoInstance(f"the running instances cannot be listed: {(error.strerror or str(error)).lower()}") from None
    if name := environ.get("WSCLI_INSTANCE"):
        found = [instance for instance in found if instance.name == name]
        return found, NoInstance(f"no instance named {name!r} is running", "see `wscli ls`")
    if file := find_file(os.curdir):
        found = [instance for instance in found if instance.file == file]
        return found, NoInstance(f"no instance of {file!r} is running", f"start it with `wscli up -d -c {quote(file)}`")
    return found, NoInstance("no instance is running", "start one with `wscli up -d -c FILE`")


def _attached(client: ManagerConnection, url: str, patience: float) -> socket.socket:
    try:
        client.request("attach", {"url": url}, timeout=patience)
    except OSError as error:
        client.close()
        reason = (error.strerror or str(error)).lower()
        raise NoInstance(f"the manager of {client.instance.name!r} cannot be asked: {reason}") from None
    except BaseException:
        client.close()
        raise
    return client.take_over()[0]
