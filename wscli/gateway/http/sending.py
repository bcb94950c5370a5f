"""``POST /channels/NAME``: sends the body as a message, or queues it in the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from websockets.http11 import Request

from wscli.control.messages import QueueReceipt
from wscli.daemon.channel.channel import Channel
from wscli.daemon.channel.sending import check_text
from wscli.errors import ExitCode, NotSent, UsageError
from wscli.gateway.handshake import Handshake
from wscli.gateway.parameters import read_flag, read_seconds
from wscli.gateway.requests import query
from wscli.session.actions import MessageRefused

__all__ = ["BodyTooLarge", "MessageQueue", "Posted", "read_posted", "send_posted"]

DEFAULT_TIMEOUT = 10.0
"""Seconds for the channel to become ready, and to take the message."""
_BINARY = "application/octet-stream"


class MessageQueue(Protocol):
    """The outbox, as the gateway uses it."""

    async def queue(
        self, channel: str, payloads: Sequence[bytes], *, binary: bool, ttl: float | None, key: str | None
    ) -> QueueReceipt:
        """Put messages on the disk, all or none."""


class BodyTooLarge(Exception):
    """The body is over ``max_message``."""


class Posted(NamedTuple):
    """A message that a client posted, and what is to happen with it."""

    payload: bytes
    binary: bool
    timeout: float
    """Seconds to send it in."""
    queued: bool
    """Whether it goes into the outbox."""
    key: str | None
    ttl: float | None
    """Seconds until it expires in the outbox."""


async def read_posted(handshake: Handshake, request: Request) -> Posted:
    """Read ``?timeout=T`` or ``?queue[&key=K][&ttl=T]``, and the body.

    Raises:
        UsageError: a value is invalid.
        MessageRefused: the body is compressed, or not UTF-8 and not declared to be binary.
        BodyTooLarge: it is over ``max_message``.
        ClientGone: the client did not send all of it.
    """
    given = query(request.path)
    queued = "queue" in given and read_flag("queue", given["queue"] or "1")
    foreign = {"timeout"} if queued else {"key", "ttl"}
    if unfit := sorted(foreign & given.keys()):
        hint = "messages in the outbox have 'ttl' instead" if queued else "give 'queue' as well"
        raise UsageError(f"{unfit[0]!r} goes {'without' if queued else 'with'} 'queue'", hint)
    timeout = read_seconds("timeout", given["timeout"]) if "timeout" in given else DEFAULT_TIMEOUT
    ttl = read_seconds("ttl", given["ttl"]) if "ttl" in given else None
    payload = await handshake.body(request)
    if payload is None:
        raise BodyTooLarge
    encoding = ",".join(request.headers.get_all("Content-Encoding"))
    if encoding.lower() not in ("", "identity"):
        raise MessageRefused(f"the body has the Content-Encoding {encoding!r}", "send it without one")
    media_type = ",".join(request.headers.get_all("Content-Type")).partition(";")[0].strip().lower()
    if not (binary := media_type == _BINARY):
        try:
            check_text(payload, f"'Content-Type: {_BINARY}' sends bytes as they are")
        except NotSent as error:
            raise MessageRefused(error.message, error.hint) from None
    return Posted(payload, binary, timeout, queued, given.get("key"), ttl)


async def send_posted(channel: Channel, posted: Posted, outbox: MessageQueue, handshake: Handshake) -> dict[str, Any]:
    """Send or queue a message, and give its object of ``wscli send --json``; one not sent yet goes with its client.

    Raises:
        WscliError: it was not sent or queued, or the outcome is unknown.
        ClientGone: the client hung up.
    """
    told = {"channel": channel.name, "outcome": "sent", "code": int(ExitCode.OK), "error": None}
    if not posted.queued:
        sending = channel.send(posted.payload, binary=posted.binary, timeout=posted.timeout)
        await handshake.while_connected(sending)
        return told
    receipt = await outbox.queue(channel.name, [posted.payload], binary=posted.binary, ttl=posted.ttl, key=posted.key)
    return {**told, "outcome": receipt["state"], "id": receipt["first"]}
