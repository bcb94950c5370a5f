"""``wscli connect``: an interactive session on a channel, or with a URL that no file declares."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import click

from wscli.cli.options import DURATION, channel_argument, with_instance
from wscli.cli.printing import note
from wscli.control.selection import Selection
from wscli.errors import AuthError, ChannelUnavailable, UsageError, WscliError

if TYPE_CHECKING:
    import asyncio

    from wscli.core.failures import Failure
    from wscli.transport.connection import Connection, DialTarget

NORMAL_ENDS = (1000, 1001, 1005)
"""Close codes that say nothing went wrong (RFC 6455, section 7.4.1)."""
CLOSE_DEADLINE = 1.0


def _target(url: str, headers: tuple[str, ...], subprotocols: tuple[str, ...]) -> DialTarget:
    import ssl
    from urllib.parse import urlsplit

    from wscli.transport.connection import DialTarget

    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("ws", "wss") and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(f"invalid WebSocket URL: {url!r}", "write ws://HOST/PATH or wss://HOST/PATH")
    return DialTarget(
        url,
        tuple(_header(header) for header in headers),
        subprotocols,
        tls=ssl.create_default_context() if parts.scheme == "wss" else None,
    )


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not text.isprintable():
        raise UsageError("invalid --header", "write --header 'Name: value'")
    return name.strip(), value.strip()


class _Session:
    """One connection to a URL, with stdin and stdout at its other end."""

    def __init__(self, target: DialTarget, linger: float) -> None:
        from wscli.cli.connect.talk import printed

        self._target = target
        self._linger = linger
        self._output, self._sink = printed()
        self._ended: asyncio.Future[Failure | None]

    def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Print messages."""
        from wscli.control.output import OutputClosed

        try:
            for index, payload in enumerate(payloads):
                if kinds is not None and kinds[index : index + 1] == b"b":
                    note(f"a binary message of {len(payload)} bytes")
                else:
                    self._sink.write(memoryview(payload + b"\n"))
        except OutputClosed:
            self.on_end(None)

    def on_end(self, failure: Failure | None) -> None:
        """Note the end, and what failed; None for an end of ours."""
        if not self._ended.done():
            self._ended.set_result(failure)

    async def run(self) -> int:
        """Dial, talk, hang up.

        Raises:
            ChannelUnavailable: the dial failed, or the connection ended otherwise than well.
            AuthError: it was refused for want of credentials.
        """
        import asyncio

        from wscli.transport.connection import DialError, DialTimeline
        from wscli.transport.open import open_connection

        self._ended = asyncio.get_running_loop().create_future()
        try:
            connection = await open_connection(self._target, self, DialTimeline(), adapter="websockets")
        except DialError as error:
            raise _as_error(error.failure) from None
        if sys.stdin.isatty():
            note("connected: a line sends, messages print, Ctrl-D ends")
        sending = asyncio.create_task(self._send_stdin(connection))
        sending.add_done_callback(self._stdin_ended)
        try:
            failure = await self._ended
        finally:
            sending.cancel()
            await asyncio.wait({sending})
            await connection.close(deadline=CLOSE_DEADLINE)
        if failure is not None and failure.code not in NORMAL_ENDS:
            raise _as_error(failure)
        return 0

    def _stdin_ended(self, sending: asyncio.Task[None]) -> None:
        """Go on for the linger once stdin has ended, and no longer once a line could not be sent."""
        if sending.cancelled() or self._ended.done():
            return
        if error := sending.exception():
            self._ended.set_exception(error)
        else:
            sending.get_loop().call_later(self._linger, self.on_end, None)

    async def _send_stdin(self, connection: Connection) -> None:
        import asyncio
        import select

        from wscli.cli.connect.talk import CHUNK, LineSplitter

        lines, descriptor = LineSplitter(terminal=sys.stdin.isatty()), sys.stdin.fileno()
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        with contextlib.suppress(PermissionError):  # a file, which a loop cannot watch, and which is always ready
            loop.add_reader(descriptor, ready.set)
        try:
            while True:
                await asyncio.sleep(0)
                while not select.select([descriptor], [], [], 0)[0]:  # the loop may have told of what is read by now
                    ready.clear()
                    await ready.wait()
                data = os.read(descriptor, CHUNK)
                for line in lines.split(data):
                    await connection.send(_text(line), binary=False)
                if not data:
                    return
        finally:
            loop.remove_reader(descriptor)


def _text(line: bytes) -> bytes:
    try:
        line.decode()  # RFC 6455, section 5.6: a text message is UTF-8
    except UnicodeDecodeError:
        raise WscliError("a line is not UTF-8, and was not sent", "connect sends text") from None
    return line


def _as_error(failure: Failure) -> WscliError:
    text = failure.text + (f": {failure.close_reason}" if failure.close_reason not in failure.text else "")
    if failure.code in (401, 403, 4401):
        return AuthError(text, "give credentials with --header, or in the URL's query")
    return ChannelUnavailable(text, "see that the URL is right, and that its server runs")


@click.command("connect")
@with_instance
@channel_argument
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="With a URL: send a header.")
@click.option("--subprotocol", "subprotocols", multiple=True, metavar="NAME", help="With a URL: offer a subprotocol.")
@click.option(
    "--linger",
    type=DURATION,
    metavar="T",
    help="Go on printing for this long after stdin ended.  [default: 0s on a terminal, else 1s]",
)
def command(
    selection: Selection, channel: str, headers: tuple[str, ...], subprotocols: tuple[str, ...], linger: float | None
) -> int:
    """Talk on a channel or to a URL, interactively.

    CHANNEL is a channel, whose one connection is shared, or a ws:// or wss:// URL, which needs no file and no manager.
    Each line is sent as a message, messages are printed, Ctrl-D ends. On a terminal only lines that end with Enter are
    sent; the last line of a pipe needs no newline.

    Exits with 8 when the connection failed, with 4 if credentials were refused.
    """
    if sys.stdin is None or sys.stdout is None:
        raise UsageError(
            "connect needs stdin and stdout, and one of them is closed",
            "use `wscli tail CHANNEL` or `wscli send CHANNEL`",
        )
    terminal = sys.stdin.isatty()
    linger = (0.0 if terminal else 1.0) if linger is None else linger
    if "://" not in channel:
        if headers or subprotocols:
            raise UsageError("--header and --subprotocol go with a URL", "a channel's are declared in its file")
        from wscli.cli.connect.talk import talk

        if terminal:
            note(f"on {channel}: a line sends, messages print, Ctrl-D ends")
        return talk(selection, channel, linger)
    import asyncio

    return asyncio.run(_Session(_target(channel, headers, subprotocols), linger).run())
