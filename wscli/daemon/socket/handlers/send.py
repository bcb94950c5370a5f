r"""``send``: payloads to one channel, in blocks of raw bytes.

A block is announced by ``bytes``: the first may be announced by the request's own arguments (else the request is
answered by itself), further ones by a line each, ``{"bytes": 120, "framing": "line"}``. Every block is answered by
``{"sent": N, "connects": M}``, M being the number of connections that the channel had until then, or by the error of
the first message that failed with ``sent`` beside it: those before it left, those after it were not tried. The client
hangs up after the last answer; if it hangs up earlier, or shuts down its sending side, messages that have not left yet
are dropped.

With ``refs`` the arguments announce one message that expects a reply: if it is true, the references in the text
are filled. The answer says with what, and which message was the last before it (``control.messages.SendReceipt``).

Framings: ``whole`` is one message; ``line`` and ``nul`` are messages that each end with ``\n`` or NUL.
"""

from __future__ import annotations

import asyncio
import functools
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Protocol

from wscli.clock import Clock
from wscli.control.messages import SendReceipt, SessionReply
from wscli.control.protocol import BLOCK_LIMIT, ProtocolError, failure, split_block, success
from wscli.control.requests import BlockLine, OutcomesLine, QueueRequest, SendRequest
from wscli.daemon.channel.channel import Channel
from wscli.daemon.channel.sending import check_text
from wscli.daemon.socket.peer import Peer
from wscli.daemon.socket.server import App
from wscli.daemon.socket.validation import read_block
from wscli.daemon.upstream.refs import Referring
from wscli.daemon.upstream.session.seam import AwaitedReply
from wscli.errors import NotSent, OutcomeUnknown, TimedOut, UsageError, WscliError
from wscli.values import format_duration

__all__ = ["awaited", "first_block", "handle_send", "next_block", "read_messages"]

DEFAULT_TIMEOUT = 10.0
TURN = 0.005
"""Seconds of sending after which other tasks get a turn."""


class SendOne(Protocol):
    """Sends one message to a channel, within ``timeout`` seconds."""

    async def __call__(self, payload: bytes, /, *, timeout: float) -> None:
        """Send it."""


async def handle_send(app: App, request: SendRequest, peer: Peer) -> None:
    """Send block after block, holding the channel in use between them."""
    channel = app.manager.channel(request["channel"])
    binary, timeout = request.get("binary", False), request.get("timeout", DEFAULT_TIMEOUT)
    if "refs" in request:
        await _send_referring(channel, app.manager.clock, request, peer, binary=binary, timeout=timeout)
        return
    send = functools.partial(channel.send, binary=binary, preparing=request.get("connection"))
    with channel.use():
        block = await first_block("send", request, peer, {"sent": 0})
        while block is not None and "bytes" in block:
            messages = await read_messages(block, peer)
            count, error = await peer.while_connected(_send(send, messages, binary=binary, timeout=timeout))
            if error is not None:
                await peer.send_line(failure(error, sent=count))
                return
            await peer.send_line(success({"sent": count, "connects": channel.counters.connects}))
            block = await next_block("send", peer)


async def _send_referring(
    channel: Channel, clock: Clock, request: SendRequest, peer: Peer, *, binary: bool, timeout: float
) -> None:
    if "bytes" not in request:
        raise ProtocolError("'refs' goes with 'bytes'", "announce the message by 'bytes' in the request")
    payload = b"".join(await read_messages({"bytes": request["bytes"]}, peer))
    if not binary:
        check_text(payload)
    found: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    reply: AwaitedReply | None = None
    if request.get("reply", False):
        check_reply(channel)
        reply = awaited(found)
    message = Referring(payload.decode()) if request["refs"] and not binary else None
    answer: SendReceipt = {"sent": 1, "ref": None, "after": ""}

    def write() -> bytes:
        filled = payload
        if message is not None:
            answer["ref"], text = message.fill(channel.subscription.refs)
            filled = text.encode()
        if reply is not None:
            reply.ref = answer["ref"]
        answer["after"] = f"{channel.history.epoch}:{channel.history.last}"
        return filled

    async def exchange() -> None:
        end = asyncio.get_running_loop().time() + timeout
        await channel.send(write, binary=binary, timeout=timeout, reply=reply)
        if reply is not None:
            answer["reply"] = _record(await _reply(channel.name, found, end, timeout), clock.wall())

    try:
        await peer.while_connected(exchange())
    finally:
        if reply is not None:
            reply.forget()
    await peer.send_line(success(answer))


def awaited(found: asyncio.Future[bytes]) -> AwaitedReply:
    """Have a future be the reply, or ``OutcomeUnknown`` where the connection ends before it."""

    def replied(payload: bytes, binary: bool) -> None:
        if not found.done():
            found.set_result(payload)

    def lost() -> None:
        if not found.done():
            found.set_exception(OutcomeUnknown("the connection ended before the reply"))

    found.add_done_callback(lambda found: found.cancelled() or found.exception())  # it may come too late
    return AwaitedReply(replied, lost)


async def _reply(channel: str, found: asyncio.Future[bytes], end: float, timeout: float) -> bytes:
    """Wait for a reply, until a moment of the loop's time.

    Raises:
        TimedOut: there was none.
        OutcomeUnknown: the connection ended before it.
    """
    try:
        async with asyncio.timeout_at(end):
            return await found
    except TimeoutError:
        within = format_duration(timeout)
        raise TimedOut(f"no reply on channel {channel!r} within {within}", "--timeout gives it longer") from None


def _record(payload: bytes, now: float) -> SessionReply:
    try:
        return {"ts": now, "type": "text", "data": payload.decode()}
    except UnicodeDecodeError:
        return {"ts": now, "type": "binary", "encoding": "base64", "data": b64encode(payload).decode()}


def check_reply(channel: Channel) -> None:
    """Refuse to wait for a reply that nothing declares.

    Raises:
        UsageError: the session of its endpoint has no ``reply``.
    """
    session = channel.plan.upstream.session
    if session is None or session.reply is None:
        raise UsageError(
            f"nothing says which message is the reply: the session of channel {channel.name!r} declares no `reply`"
            if session is not None
            else f"nothing says which message is the reply: channel {channel.name!r} has no session that declares it",
            "give --match, such as --match '.id == $ref' with {ref.int} sent",
        )


async def first_block(
    verb: str, request: SendRequest | QueueRequest, peer: Peer, nothing: Mapping[str, Any]
) -> BlockLine | OutcomesLine | None:
    """Return the block that the request's own arguments announce, else confirm the channel and read a header."""
    if "bytes" in request:
        return {"bytes": request["bytes"], "framing": request.get("framing", "whole")}
    await peer.send_line(success(nothing))
    return await next_block(verb, peer)


async def next_block(verb: str, peer: Peer) -> BlockLine | OutcomesLine | None:
    """Read the next header; None at the end."""
    return None if await peer.at_end() else read_block(verb, await peer.read_line())


async def read_messages(block: BlockLine, peer: Peer) -> list[bytes]:
    """Read the bytes that a header announces and split them into messages.

    Raises:
        NotSent: the block is over `BLOCK_LIMIT`.
    """
    size = block["bytes"]
    if size > BLOCK_LIMIT:
        raise NotSent(f"{size} bytes at once are more than {BLOCK_LIMIT >> 20} MiB", "send it in smaller messages")
    return split_block(await peer.read_exactly(size), block.get("framing", "whole"))


async def _send(send: SendOne, messages: list[bytes], *, binary: bool, timeout: float) -> tuple[int, WscliError | None]:
    """Send messages until one fails, or all of them took too long; return how many were sent, and the error."""
    time = asyncio.get_running_loop().time
    deadline, turn = time() + timeout, time() + TURN
    for count, message in enumerate(messages):
        try:
            if not binary:
                check_text(message)
            await send(message, timeout=timeout if not count else max(deadline - time(), 0.0))
        except WscliError as error:
            return count, error
        if time() > turn:  # sending may be a matter of a buffer, and never wait
            await asyncio.sleep(0)
            turn = time() + TURN
    return len(messages), None
