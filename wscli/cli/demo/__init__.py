"""``wscli demo``: a demo server, a manager on it, and a live view, all in this process."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from types import TracebackType

import click

from wscli.cli.options import Number, file_option, selection_of
from wscli.cli.printing import note
from wscli.errors import UsageError, WscliError

DEFAULT_PORT = 8790
GATEWAY_TOKEN = "demo"  # noqa: S105 - which the demo's own file has, for everybody to read


class DemoThread:
    """The demo server in a thread and a loop of its own, since the manager has the main one."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._failed: OSError | None = None
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="demo", daemon=True)

    def start(self) -> DemoThread:
        """Listen.

        Raises:
            OSError: the port cannot be had.
        """
        self._thread.start()
        self._started.wait()
        if self._failed is not None:
            self._thread.join()
            raise self._failed
        return self

    def __enter__(self) -> DemoThread:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except OSError as error:
            self._failed = error
        finally:
            self._loop.close()
            self._started.set()

    async def _serve(self) -> None:
        from wscli.demo.server import DemoServer

        async with DemoServer(port=self.port) as server:
            self.port = server.port
            self._started.set()
            await self._stopping.wait()


def demo_file() -> Path:
    """Give the file that the demo runs on: ``configs/demo.yaml``, as the package brings it along."""
    from wscli import demo as package

    return Path(package.__file__).with_name("demo.yaml")


def _backend(port: int | None) -> DemoThread:
    """Start the demo server; where no port was asked for, a free one serves as well as the usual."""
    try:
        return DemoThread(DEFAULT_PORT if port is None else port).start()
    except OSError as error:
        if port is None:
            note(f"port {DEFAULT_PORT} is taken; another is used")
            return DemoThread(0).start()
        reason = (error.strerror or str(error)).lower()
        raise WscliError(
            f"the demo server cannot listen on port {port}: {reason}", "--port 0 takes a free one"
        ) from None


def _manage(file: Path, backend: DemoThread) -> int:
    from wscli.cli.demo.view import View
    from wscli.config import load
    from wscli.errors import ExitCode
    from wscli.process.run import run_manager

    environ = {**os.environ, "WSCLI_DEMO_PORT": str(backend.port)}
    if backend.port != DEFAULT_PORT:  # beside another demo, where the usual port may be taken
        environ.setdefault("WSCLI_DEMO_GATEWAY_PORT", "0")
    plan = load(file, environ)
    eager = [one.name for one in plan.channels.values() if one.eager and not one.params]
    view = View(plan.name, eager, backend.port, token=GATEWAY_TOKEN if file == demo_file() else None)
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
    with _backend(port) as backend:
        return _manage(Path(selection.file) if selection.file else demo_file(), backend)
