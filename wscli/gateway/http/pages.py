"""The pages that a GET reads: the status page's files, and those for machines.

A page is a pure function of the manager. The server checks access and the method.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from wscli.core.states import ChannelState
from wscli.daemon.registry.manager import Manager
from wscli.gateway.http.metrics import expose

__all__ = ["PAGES", "PageResponse", "Page"]

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


class PageResponse(NamedTuple):
    """A page's HTTP response; ``headers`` are those besides Content-Type and Content-Length."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = _HEADERS


Responder = Callable[..., PageResponse]
"""Makes a page's response from the manager and the request's Accept header."""


class Page(NamedTuple):
    """A page, and whether reading it needs the token."""

    respond: Responder
    needs_token: bool


def _json(status: int, value: Any) -> PageResponse:
    return PageResponse(status, JSON, json.dumps(value, separators=(",", ":")).encode() + b"\n")


def _readyz(manager: Manager, accept: str = "") -> PageResponse:
    """Say whether every eager critical channel is ready, as ``wscli up --wait`` does; without reasons."""
    waiting = [
        channel.name
        for channel in manager.channels()
        if channel.plan.eager and channel.plan.critical and channel.state is not ChannelState.READY
    ]
    return _json(503 if waiting else 200, {"ready": not waiting, "waiting": waiting})


def _metrics(manager: Manager, accept: str = "") -> PageResponse:
    body, content_type = expose(manager, accept)
    return PageResponse(200, content_type, body)


@cache
def _asset(name: str) -> bytes:
    return files("wscli.gateway").joinpath("assets", name).read_bytes()


def _file(name: str, content_type: str, headers: Mapping[str, str] | None = None) -> Page:
    """Make the page of a packaged file, which is read once: an upgrade must not mix its files with older code."""

    all_headers = {**_HEADERS, **(headers or {})}
    return Page(lambda manager, accept="": PageResponse(200, content_type, _asset(name), all_headers), False)


_SCRIPT = "text/javascript; charset=utf-8"

PAGES: dict[str, Page] = {
    "/": _file("index.html", "text/html; charset=utf-8", _OF_THE_STATUS_PAGE),
    "/page.js": _file("page.js", _SCRIPT),
    "/page.css": _file("page.css", "text/css; charset=utf-8"),
    "/manager.js": _file("manager.js", _SCRIPT),
    "/badge.js": _file("badge.js", _SCRIPT),
    "/stats": Page(lambda manager, accept="": _json(200, manager.stats()), needs_token=True),
    "/status": Page(lambda manager, accept="": _json(200, manager.status()), needs_token=True),
    "/metrics": Page(_metrics, needs_token=True),
    "/healthz": Page(lambda manager, accept="": PageResponse(200, TEXT, b"ok\n"), needs_token=False),
    "/readyz": Page(_readyz, needs_token=False),
}
"""Pages by path. A WebSocket at ``/status`` gets the live feed instead."""
