"""``python -m wscli.demo``: the back end in its own process; one line of JSON says where it listens."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys

from wscli.demo.options import DEFAULT_PORT, CallTimes, DemoOptions
from wscli.demo.server import DemoServer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m wscli.demo", description="the demo back end, on loopback only")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between notifications; 0: none by itself")
    parser.add_argument("--no-calls", action="store_true", help="no calls by themselves")
    parser.add_argument("--token-life", type=float, default=60.0, help="seconds (default: %(default)s)")
    parser.add_argument("--no-token", action="store_true", help="let everybody in")
    parser.add_argument("--refuse-by", choices=("http", "close"), default="http", help="401, or close code 4401")
    parser.add_argument("--api-key", help="what /ws-token wants as a bearer")
    parser.add_argument("--ready-fd", type=int, default=1, help="where the line goes (default: stdout)")
    return parser.parse_args()


async def _serve(options: DemoOptions, ready_fd: int) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with DemoServer(options) as demo:
        line = {"port": demo.port, "url": demo.url, "ws_url": demo.ws_url, "pid": os.getpid()}
        os.write(ready_fd, json.dumps(line).encode() + b"\n")
        if ready_fd > 2:
            os.close(ready_fd)
        await stopping.wait()


def main() -> int:
    """Serve until SIGINT or SIGTERM; 1 where the port is taken."""
    given = _arguments()
    options = DemoOptions(
        port=given.port,
        interval=given.interval or None,
        calls=None if given.no_calls else CallTimes(),
        token_life=given.token_life,
        require_token=not given.no_token,
        refuse_by=given.refuse_by,
        api_key=given.api_key,
    )
    try:
        asyncio.run(_serve(options, given.ready_fd))
    except OSError as error:
        print(f"error: cannot listen on port {given.port}: {error.strerror}", file=sys.stderr)  # noqa: T201 - a program's own stderr
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
