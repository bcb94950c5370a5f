"""Requests for a channel by HTTP: who answers them, and how a refusal is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from websockets.http11 import Request, Response

from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager
from wscli.errors import (
    AuthError,
    ChannelUnavailable,
    NotSent,
    OutcomeUnknown,
    UnknownChannel,
    UsageError,
    WscliError,
)
from wscli.gateway.handshake import Handshake, response
from wscli.gateway.http.cors import cors_headers
from wscli.gateway.http.reading import HttpReading, NothingMore, read_request_options
from wscli.gateway.http.sending import BodyTooLarge, MessageQueue, read_posted, send_posted
from wscli.gateway.requests import channel_name
from wscli.session.actions import MessageRefused
from wscli.timing import Schedule

__all__ = ["CHANNELS", "serve_channel_request"]

CHANNELS = "/channels/"
_JSON = "application/json"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Accel-Buffering": "no"}
"""The last one has nginx pass a stream on as it is written."""
_ALLOWED = "GET, HEAD, POST, OPTIONS"
_STATUSES: tuple[tuple[type[WscliError], int], ...] = (
    (UsageError, 400),
    (UnknownChannel, 404),
    (ChannelUnavailable, 409),
    (AuthError, 409),
    (MessageRefused, 422),
    (NotSent, 503),
    (OutcomeUnknown, 502),
)
"""503 alone mends itself: a client may try again, and sends nothing twice."""


async def serve_channel_request(
    manager: Manager, outbox: MessageQueue, handshake: Handshake, request: Request, schedule: Schedule
) -> None:
    """Answer a request for a channel, which was let in.

    Raises:
        ClientGone: the client hung up before it was answered.
    """
    headers = {**_HEADERS, **cors_headers(request)}
    if request.method in ("GET", "HEAD"):
        answer = await _read(manager, handshake, request, headers, schedule)
    elif request.method == "POST":
        answer = await _post(manager, outbox, handshake, request, headers)
    elif request.method == "OPTIONS":
        answer = response(204, b"", headers={**headers, "Allow": _ALLOWED})
    else:
        refusal = UsageError(f"invalid method: {request.method[:40]!r}", f"methods of a channel: {_ALLOWED}")
        answer = _refused(refusal, 405, {**headers, "Allow": _ALLOWED})
    if answer is not None:
        await handshake.answer(request, answer)


async def _read(
    manager: Manager, handshake: Handshake, request: Request, headers: Mapping[str, str], schedule: Schedule
) -> Response | None:
    try:
        channel = manager.channel(_name(request.path))
        options = await read_request_options(channel, request)
        await HttpReading(manager, channel, handshake, options, headers, schedule).run()
    except NothingMore:
        return response(204, b"", headers=headers)
    except WscliError as error:
        return _refused(error, _status(error), headers)
    return None


async def _post(
    manager: Manager, outbox: MessageQueue, handshake: Handshake, request: Request, headers: Mapping[str, str]
) -> Response:
    path = request.path.partition("#")[0].partition("?")[0]
    above, _, last = path.rpartition("/")
    if (by_hand := _BY_HAND.get(last)) is not None:
        try:
            return _json(200, by_hand(manager, _name(above)).status(), headers)
        except WscliError as error:
            return _refused(error, _status(error), headers)
    facts: dict[str, str] = {}
    try:
        channel = manager.channel(_name(path))
        facts["channel"] = channel.name
        posted = await read_posted(handshake, request)
        told = await send_posted(channel, posted, outbox, handshake)
    except BodyTooLarge:
        text = f"the message is over {handshake.max_message} bytes"
        return _refused(NotSent(text, "raise gateway.max_message"), 413, headers, **facts, outcome="rejected")
    except WscliError as error:
        outcome = "unknown" if isinstance(error, OutcomeUnknown) else "rejected"
        return _refused(error, _status(error), headers, **facts, outcome=outcome)
    return _json(202 if posted.queued else 200, told, headers)


def _name(path: str) -> str:
    name = channel_name(path, CHANNELS)
    if name is None:
        raise UnknownChannel("this path names no channel", "`wscli status` lists the channels")
    return name


def _pause(manager: Manager, name: str) -> Channel:
    (channel,) = manager.select([name])
    channel.pause()
    return channel


def _resume(manager: Manager, name: str) -> Channel:
    (channel,) = manager.select([name])
    if channel.state is ChannelState.PAUSED:
        channel.resume()
    return channel


def _restart(manager: Manager, name: str) -> Channel:
    channel = manager.channel(name)
    channel.restart()
    return channel


_BY_HAND: Mapping[str, Callable[[Manager, str], Channel]] = {"pause": _pause, "resume": _resume, "restart": _restart}
"""By the last segment of a path as it is sent: ``/channels/rooms/%70ause`` is the channel ``rooms/pause``."""


def _status(error: WscliError) -> int:
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def _refused(error: WscliError, status: int, headers: Mapping[str, str], **facts: str) -> Response:
    told = {**facts, "code": int(error.exit_code), "error": error.message, "hint": error.hint}
    return _json(status, told, headers)


def _json(status: int, value: Any, headers: Mapping[str, str]) -> Response:
    body = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    return response(status, body, _JSON, headers)
