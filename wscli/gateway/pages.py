"""The pages for a plain GET: what the status page is made of, and the faces for machines.

A page is a pure function of the manager. Who may ask, and by which methods, is the server's to see to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from wscli.core.states import ChannelState
from wscli.gateway.metrics import expose

if TYPE_CHECKING:
    from wscli.daemon.registry.manager import Manager

__all__ = ["PAGES", "Answer", "Page"]

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
_OF_THE_STATUS_PAGE = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # its address may hold the token
}


class Answer(NamedTuple):
    """What to answer; ``headers`` are those beside Content-Type and Content-Length."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = _HEADERS


class Responder(Protocol):
    """Answers for a page; ``accept`` is the request's Accept header."""

    def __call__(self, manager: Manager, accept: str = "") -> Answer: ...


class Page(NamedTuple):
    """A page, and whether it is for those alone who know the token."""

    respond: Responder
    needs_token: bool


def _json(status: int, value: Any) -> Answer:
    return Answer(status, JSON, json.dumps(value, separators=(",", ":")).encode() + b"\n")


def _stats(manager: Manager, accept: str = "") -> Answer:
    """The object of ``wscli stats --json``."""
    return _json(200, manager.stats())


def _status(manager: Manager, accept: str = "") -> Answer:
    """A list of the objects of ``wscli status --json``."""
    return _json(200, manager.status())


def _healthz(manager: Manager, accept: str = "") -> Answer:
    """Whether the manager lives: it does, where its loop comes to answer."""
    return Answer(200, TEXT, b"ok\n")


def _readyz(manager: Manager, accept: str = "") -> Answer:
    """Whether every eager, critical channel is ready, which ``wscli up --wait`` waits for; names, and no reasons."""
    waiting = [
        channel.name
        for channel in manager.channels()
        if channel.plan.eager and channel.plan.critical and channel.state is not ChannelState.READY
    ]
    return _json(503 if waiting else 200, {"ready": not waiting, "waiting": waiting})


def _metrics(manager: Manager, accept: str = "") -> Answer:
    """All metrics, in the format that is accepted."""
    body, content_type = expose(manager, accept)
    return Answer(200, content_type, body)


@cache
def _asset(name: str) -> bytes:
    return files("wscli.gateway").joinpath("assets", name).read_bytes()


def _file(name: str, content_type: str, headers: Mapping[str, str] | None = None) -> Page:
    """A file of ours, without secrets; it is read once, so that it fits the manager that runs."""

    def respond(manager: Manager, accept: str = "") -> Answer:
        return Answer(200, content_type, _asset(name), {**_HEADERS, **(headers or {})})

    return Page(respond, needs_token=False)


_SCRIPT = "text/javascript; charset=utf-8"

PAGES: dict[str, Page] = {
    "/": _file("index.html", "text/html; charset=utf-8", _OF_THE_STATUS_PAGE),
    "/page.js": _file("page.js", _SCRIPT),
    "/page.css": _file("page.css", "text/css; charset=utf-8"),
    "/manager.js": _file("manager.js", _SCRIPT),
    "/badge.js": _file("badge.js", _SCRIPT),
    "/stats": Page(_stats, needs_token=True),
    "/status": Page(_status, needs_token=True),
    "/metrics": Page(_metrics, needs_token=True),
    "/healthz": Page(_healthz, needs_token=False),
    "/readyz": Page(_readyz, needs_token=False),
}
"""By path. ``/status`` is the live feed to those who ask for a WebSocket."""
