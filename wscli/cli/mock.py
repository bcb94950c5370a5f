"""``wscli mock``: a local server that replays what ``tail --json`` wrote."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import click

from wscli.cli.formatting import counted, duration, size
from wscli.cli.printing import note
from wscli.errors import UsageError, WscliError

if TYPE_CHECKING:
    from wscli.mock.recording import Recording
    from wscli.mock.replay import Replay
    from wscli.mock.server import MockOptions

_LARGE = 64 << 20
"""Bytes of a file that takes seconds to check, long enough to say so."""
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})", re.ASCII)


def read_address(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, int]:
    """Read ``HOST:PORT`` or ``[IPV6]:PORT``: an option's callback."""
    found = _ADDRESS.fullmatch(value)
    if found is None or int(found["port"]) > 65535:
        raise click.BadParameter(f"invalid address: {value!r}; it must be HOST:PORT or [IPV6]:PORT", ctx, param)
    return found["v6"] or found["name"], int(found["port"])


def read_speed(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Read a positive number, or ``max``, which is infinity: an option's callback."""
    try:
        speed = math.inf if value == "max" else float(value)
    except ValueError:
        speed = math.nan
    if not speed > 0 or (math.isinf(speed) and value != "max"):
        raise click.BadParameter(
            f"invalid speed: {value!r}; it must be max, or a number above 0 such as 10 or 0.5", ctx, param
        )
    return speed


def read_origins(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Read origins as browsers send them, in lower case and without a slash at the end: an option's callback."""
    from wscli.mock.requests import is_origin

    origins = tuple(value.lower().removesuffix("/") for value in values)
    for value, origin in zip(values, origins, strict=True):
        if not is_origin(origin):
            raise click.BadParameter(
                f"invalid origin: {value!r}; it must be null, or such as https://app.example.com", ctx, param
            )
    return origins


async def _serve(recording: Recording, replay: Replay, options: MockOptions) -> None:
    import asyncio
    import errno
    import signal

    from wscli.mock.server import MockServer

    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = MockServer(recording, replay, options, tell=note)
    try:
        await server.start()
    except OSError as error:
        hint = "--listen takes another address"
        if error.errno == errno.EADDRINUSE:
            hint += f"; {options.host}:0 is any port that is free"
        reason = (error.strerror or str(error)).lower()
        raise WscliError(f"cannot listen at {options.host}:{options.port}: {reason}", hint) from None
    async with server:
        _introduce(recording, replay, server.urls)
        await stopping.wait()


def _introduce(recording: Recording, replay: Replay, urls: dict[str, str]) -> None:
    """Say what is where, once it is."""
    note(f"{recording.name} is replayed until Ctrl-C:")
    for channel, url in urls.items():
        played = recording.channels[channel]
        lasts = played.span / replay.options.speed
        note(f"  {url}  {counted(played.messages, 'message')}{f' in {duration(lasts)}' if lasts else ''}")
    left_out = recording.gaps.total() - (recording.gaps["outage"] if replay.options.outages else 0)
    if left_out:
        note(f"{left_out} {'gap is' if left_out == 1 else 'gaps are'} left out")
    if recording.torn:
        note("its last line is not whole, and is left out")


@click.command("mock")
@click.argument("path", metavar="FILE", type=click.Path(allow_dash=True))
@click.option(
    "--listen",
    "address",
    default="127.0.0.1:8790",
    show_default=True,
    callback=read_address,
    metavar="HOST:PORT",
    help="Where to listen; port 0: any that is free.",
)
@click.option(
    "--speed",
    default="1",
    callback=read_speed,
    metavar="N",
    help="So many times as fast, such as 10 or 0.5; max: without waiting.",
)
@click.option("--loop", is_flag=True, help="Begin again after the last message, instead of falling silent.")
@click.option("--close", is_flag=True, help="Close with 1000 after the last message, instead of falling silent.")
@click.option(
    "--outages",
    is_flag=True,
    help="Drop the connection where an outage was recorded; the channel's next client goes on behind it.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    callback=read_origins,
    metavar="ORIGIN",
    help="Let pages of this origin connect, beside those that this machine serves.",
)
@click.option("-v", "--verbose", is_flag=True, help="Print each client, its end, and what it sends.")
def command(
    path: str,
    address: tuple[str, int],
    speed: float,
    loop: bool,
    close: bool,
    outages: bool,
    origins: tuple[str, ...],
    verbose: bool,
) -> int:
    """Replay what `tail --json` wrote, as a local server.

    FILE is what `wscli tail CHANNEL... --json` wrote; - is stdin, to its end. Each client that opens
    ws://HOST:PORT/CHANNEL (or / where there is one channel only) gets that channel's messages from the beginning, as
    they were and with the time between them. What clients send is taken and ignored; gaps are left out. Ctrl-C ends it
    with 0.
    """
    if loop and close:
        raise UsageError("--loop and --close exclude each other", "one goes on for ever, the other ends")
    import asyncio

    from wscli.mock.recording import Recording, open_records
    from wscli.mock.replay import Replay, ReplayOptions
    from wscli.mock.server import MockOptions

    with Recording(open_records(path), "stdin" if path == "-" else path) as recording:
        if recording.size > _LARGE:
            note(f"reading {recording.name}, {size(recording.size)}")
        recording.check()
        replay = Replay(recording, ReplayOptions(speed, loop=loop, outages=outages))
        options = MockOptions(*address, close=close, origins=origins, verbose=verbose)
        asyncio.run(_serve(recording, replay, options))
    return 0
