"""A manager process's life: its instance, its log, its channels, its socket, its signals."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import random
import resource
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from wscli.clock import SystemClock
from wscli.config.plan import Plan
from wscli.control.paths import state_directory
from wscli.daemon.hooks import Hooks
from wscli.daemon.outbox import Outbox
from wscli.daemon.registry.manager import Manager
from wscli.daemon.registry.reload import log_warnings, reload
from wscli.daemon.socket.handlers import HANDLERS
from wscli.daemon.socket.server import Server
from wscli.errors import ExitCode, WscliError
from wscli.gateway.server import Gateway
from wscli.history.memory import History
from wscli.network import NetworkMonitor, reachable
from wscli.process.log import Format, RotatingLog, capture, release
from wscli.process.notify import Notifier, Supervisor, take_supervisor
from wscli.process.ownership import Instance, own
from wscli.process.threads import AbandonedThreads
from wscli.transport.open import open_link
from wscli.version import __version__

__all__ = ["run"]

logger = logging.getLogger("wscli.manager")

_OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(
    plan: Plan,
    environ: Mapping[str, str],
    *,
    on_ready: Callable[[], None] = lambda: None,
    log_format: Format = "text",
    log_file: Path | None = None,
) -> int:
    """Hold the channels of a plan until SIGTERM, SIGINT or ``wscli down``, and give the exit code.

    Args:
        plan: the channels.
        environ: says where instances are found.
        on_ready: called once, when the socket answers and before any channel is ready.
        log_format: how the log is written on stderr.
        log_file: the file that stdout and stderr go into, if it is to be rotated.

    Raises:
        WscliError: another manager holds the instance, or the runtime directory cannot be used.

    """
    _raise_open_files()
    supervisor = take_supervisor(os.environ)  # which the commands of token sources and hooks inherit
    log = functools.partial(capture, form=log_format, file=RotatingLog(log_file) if log_file else None)
    with own(plan, environ) as instance:
        os.dup(instance.lock)  # never closed: `down` waits for the lock, and so for the end of the process itself
        return asyncio.run(_live(plan, environ, instance, supervisor, log, on_ready))


def _raise_open_files() -> None:
    """Have as many files open as may be: a channel has a socket, and on disk a handful of files.

    The usual soft limit of 1024 is for programs that call select(2), which a manager does not.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS: what is unlimited cannot always be had
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _live(
    plan: Plan,
    environ: Mapping[str, str],
    instance: Instance,
    supervisor: Supervisor,
    log: Callable[[History], list[logging.Handler]],
    on_ready: Callable[[], None],
) -> int:
    clock, chance = SystemClock(), random.SystemRandom()
    manager = Manager(plan, clock=clock, chance=chance, open_link=open_link, reachable=reachable, environ=environ)
    handlers = log(manager.log)
    monitor = NetworkMonitor(clock=clock, destinations=manager.addresses)
    server = Server(manager, instance.listener, HANDLERS)
    hooks = Hooks(manager)
    gateway = Gateway(manager)
    outbox = manager.outbox = Outbox(manager, Path(state_directory(environ), plan.name, "outbox.db"))
    manager.watchers.append(outbox.channel_changed)
    manager.newcomers.append(outbox.channel_made)
    manager.after_apply += [outbox.reloaded, gateway.apply]
    notifier = Notifier(manager, supervisor)
    manager.around_reload = notifier.reload
    asyncio.get_running_loop().set_default_executor(AbandonedThreads())
    with _signals(manager) as received:
        try:
            logger.info("wscli %s runs %s as pid %d", __version__, plan.name, instance.pid, extra={"event": "started"})
            log_warnings(plan)
            monitor.start(manager.network_changed)
            server.start()
            manager.open()
            await outbox.start()
            gateway.apply()
            on_ready()
            notifier.ready()
            await manager.stopping.wait()
            logger.info("stopping", extra={"event": "stopping"})
        finally:
            manager.stopping.set()
            notifier.stopping()
            await monitor.close()
            await gateway.close()
            await outbox.settle()
            await asyncio.gather(hooks.close(), manager.close())  # the hooks first: they see no channel close
            await server.close()
            await outbox.close()
            notifier.close()
            release(handlers)
    return ExitCode.INTERRUPTED if signal.SIGINT in received else ExitCode.OK


@contextlib.contextmanager
def _signals(manager: Manager) -> Iterator[list[int]]:
    """SIGTERM and SIGINT stop the manager, SIGHUP reloads its file; gives the list of those that came.

    Once the manager stops they change nothing any more, then or later: what is left to do takes a second at most, and
    a second signal would tear it.
    """
    loop = asyncio.get_running_loop()
    received: list[int] = []

    def stop(number: int) -> None:
        if not manager.stopping.is_set():
            received.append(number)
        manager.stopping.set()

    def hang_up() -> None:
        if not manager.stopping.is_set():
            manager.tasks.spawn(_reload(manager), name="reload")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    try:
        yield received
    finally:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
        for number in _OURS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _reload(manager: Manager) -> None:
    try:
        await reload(manager)
    except WscliError as error:
        logger.warning("not reloaded: %s", error, extra={"event": "not-reloaded"})
