"""``wscli demo``: a demo server, a manager on it, and a live view, all in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from wscli.cli.options import Number, file_option, selection_of
from wscli.cli.printing import note
from wscli.errors import UsageError, WscliError

DEFAULT_PORT = 8790
GATEWAY_TOKEN = "demo"  # noqa: S105 - which the demo's own file has, for everybody to read


def demo_file() -> Path:
    """Give the file that the demo runs on: ``configs/demo.yaml``, as the package brings it along."""
    from wscli import demo as package

    return Path(package.__file__).with_name("demo.yaml")


@contextlib.contextmanager
def _demo_server(port: int | None) -> Iterator[int]:
    """Run the demo server in a thread and a loop of its own, since the manager has the main one; give its port.

    Where no port was asked for, a free one serves as well as the usual.
    """
    from wscli.demo.server import DemoServer

    async def listen(port: int) -> int:
        return (await stack.enter_async_context(DemoServer(port))).port

    stack, loop = contextlib.AsyncExitStack(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="demo", daemon=True)
    thread.start()
    try:
        try:
            taken = asyncio.run_coroutine_threadsafe(listen(DEFAULT_PORT if port is None else port), loop).result()
        except OSError as error:
            if port is not None:
                reason = (error.strerror or str(error)).lower()
                text = f"the demo server cannot listen on port {port}: {reason}"
                raise WscliError(text, "--port 0 takes a free one") from None
            note(f"port {DEFAULT_PORT} is taken; another is used")
            taken = asyncio.run_coroutine_threadsafe(listen(0), loop).result()
        yield taken
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _manage(file: Path, port: int) -> int:
    from wscli.cli.demo.view import View
    from wscli.config.loading import load
    from wscli.errors import ExitCode
    from wscli.process.run import run_manager

    environ = {**os.environ, "WSCLI_DEMO_PORT": str(port)}
    if port != DEFAULT_PORT:  # beside another demo, where the usual port may be taken
        environ.setdefault("WSCLI_DEMO_GATEWAY_PORT", "0")
    plan = load(file, environ)
    eager = [one.name for one in plan.channels.values() if one.eager and not one.params]
    view = View(plan.name, eager, port, token=GATEWAY_TOKEN if file == demo_file() else None)
    try:
        code = run_manager(plan, environ, on_ready=view.start)
    finally:
        view.join()
    return ExitCode.OK if code == ExitCode.INTERRUPTED else code  # Ctrl-C is how a demo ends


@click.command("demo")
@file_option("Another file to run on the demo server.")
@click.option("--port", type=Number(0, 65535), metavar="N", help="Where the demo server listens; 0: anywhere.")
def command(port: int | None) -> int:
    """Run a demo server, a manager on it, and a live view.

    All in this process, until Ctrl-C, on loopback only. Meanwhile every other command works on the instance `demo`,
    from another terminal. -c FILE runs another file on the demo server; its port is ${WSCLI_DEMO_PORT} there.
    """
    selection = selection_of(click.get_current_context())
    if selection.name:
        raise UsageError("-i chooses a running instance, and demo starts one", "leave it out")
    with _demo_server(port) as taken:
        return _manage(Path(selection.file) if selection.file else demo_file(), taken)
