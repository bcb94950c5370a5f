r"""``send``: payloads to one channel, in blocks of raw bytes.

A block is announced by ``bytes``: the first may be announced by the request's own arguments (else the request is
answered by itself), further ones by a line each, ``{"bytes": 120, "framing": "line"}``. Every block is answered by
``{"sent": N}``, or by the error of the first message that failed with ``sent`` beside it: those before it left, those
after it were not tried. The client hangs up when it has no more; one that hangs up earlier, or shuts down its sending
side, takes along what has not left yet.

With ``refs`` the arguments announce one message that is to be answered: where it is true, the references in the text
are filled. The answer says what with, and behind which message it was handed over (``control.messages.Handed``).

Framings: ``whole`` is one message; ``line`` and ``nul`` are messages that each end with ``\n`` or NUL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.control.protocol import BLOCK_LIMIT, ProtocolError, failure, success
from wscli.daemon.socket.handlers.args import flag, number, optional_count, text
from wscli.daemon.upstream.refs import Referring
from wscli.errors import NotSent, WscliError

if TYPE_CHECKING:
    from wscli.control.refs import Ref
    from wscli.daemon.channel.channel import Channel
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer

DEFAULT_TIMEOUT = 10.0
_ENDS = {"line": b"\n", "nul": b"\0"}


async def handle(app: App, args: dict[str, Any], peer: Peer) -> None:
    """Send block after block, holding the channel in use between them."""
    channel = app.manager.channel(text(args, "channel"))
    binary, timeout = flag(args, "binary"), number(args, "timeout", DEFAULT_TIMEOUT)
    if "refs" in args:
        await _ask(channel, args, peer, binary=binary, timeout=timeout)
        return
    with channel.use():
        if "bytes" in args:
            block: dict[str, Any] | None = args
        else:
            await peer.send_line(success({"sent": 0}))  # the channel is known: so much can be said at once
            block = await next_block(peer)
        while block is not None:
            messages = split(await peer.read_exactly(size_of(block)), block.get("framing", "whole"))
            sent = Sent()
            try:
                await peer.while_connected(_send(channel, messages, sent, binary=binary, timeout=timeout))
            except WscliError as error:
                await peer.send_line(failure(error, sent=sent.count))
                return
            await peer.send_line(success({"sent": sent.count}))
            block = await next_block(peer)


async def _ask(channel: Channel, args: dict[str, Any], peer: Peer, *, binary: bool, timeout: float) -> None:
    payload = await peer.read_exactly(size_of(args))
    if not binary:
        check_text(payload)
    message = Referring(payload.decode()) if flag(args, "refs") and not binary else None
    handed: dict[str, Any] = {}

    def write() -> bytes:
        ref, filled = (None, payload) if message is None else _filled(message, channel)
        handed.update(ref=ref, after=f"{channel.history.epoch}:{channel.history.last}")
        return filled

    await peer.while_connected(channel.send(write, binary=binary, timeout=timeout))
    await peer.send_line(success({"sent": 1, **handed}))


def _filled(message: Referring, channel: Channel) -> tuple[Ref | None, bytes]:
    ref, filled = message.fill(channel.refs)
    return ref, filled.encode()


class Sent:
    """How many messages of a block left."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


def split(block: bytes, framing: object) -> list[bytes]:
    """Cut a block into messages; what follows the last end is a message as well, unless it is empty."""
    if framing == "whole":
        return [block]
    if not isinstance(framing, str) or framing not in _ENDS:
        raise ProtocolError(f"{str(framing)[:40]!r} is no framing", "a framing is one of whole, line, nul")
    messages = block.split(_ENDS[framing])
    if not messages[-1]:
        messages.pop()
    return messages


def size_of(block: dict[str, Any]) -> int:
    """Give the bytes that a header announces."""
    size = optional_count(block, "bytes")
    if size is None:
        raise ProtocolError("a block carries 'bytes', the number of raw bytes that follow it")
    if size > BLOCK_LIMIT:
        raise NotSent(f"{size} bytes at once are more than {BLOCK_LIMIT >> 20} MiB", "send it in smaller messages")
    return size


async def next_block(peer: Peer) -> dict[str, Any] | None:
    """Give the next header, or None at the end."""
    return None if await peer.at_end() else await peer.read_line()


async def _send(channel: Channel, messages: list[bytes], sent: Sent, *, binary: bool, timeout: float) -> None:
    for message in messages:
        if not binary:
            check_text(message)
        await channel.send(message, binary=binary, timeout=timeout)
        sent.count += 1


def check_text(message: bytes) -> None:
    """Refuse what cannot be a text message."""
    try:
        message.decode()  # RFC 6455, section 5.6: a text message is UTF-8
    except UnicodeDecodeError as error:
        raise NotSent(
            f"the message is not UTF-8: byte {error.start} of {len(message)} is 0x{message[error.start]:02x}",
            "--binary sends bytes as they are",
        ) from None
