"""The life of a manager's process, and the one place where its parts are made."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import resource
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

from wscli.clock import Clock, SystemClock
from wscli.config.plan import Plan
from wscli.control.paths import find_state_directory
from wscli.control.requests import LogLevel
from wscli.daemon.channel.histories import Histories
from wscli.daemon.hooks import Hooks
from wscli.daemon.outbox import Outbox
from wscli.daemon.registry.manager import Manager
from wscli.daemon.registry.reload import log_warnings, reload_file
from wscli.daemon.socket.handlers import HANDLERS
from wscli.daemon.socket.server import App, Server
from wscli.daemon.upstream.dial.budget import ConnectBudget
from wscli.daemon.upstream.dial.descriptors import DescriptorLimit
from wscli.daemon.upstream.dial.destination import Lookups
from wscli.daemon.upstream.dial.dialer import Dialer, OpenConnection
from wscli.daemon.upstream.keepalive import KeepaliveWheel
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session.declared import DeclaredSession
from wscli.daemon.upstream.session.seam import MakeSession
from wscli.daemon.upstream.sharing.upstreams import Upstreams
from wscli.errors import ExitCode, WscliError
from wscli.gateway.server import Gateway
from wscli.net.http import HttpClient
from wscli.network import NetworkMonitor, reachable, resolve, source_address
from wscli.process.log import Format, RotatingLog, capture
from wscli.process.notify import Notifier, ServiceManager, take_service_manager
from wscli.process.ownership import Ownership, own
from wscli.process.threads import AbandonedThreads
from wscli.process.watch import OwnershipWatch
from wscli.tasks import Tasks
from wscli.timing import Schedule, call_later
from wscli.tokens.broker import Broker
from wscli.transport.open import open_connection
from wscli.version import __version__

__all__ = ["ManagerProcess", "make_manager", "run_manager"]

logger = logging.getLogger("wscli.manager")

_OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_manager(
    plan: Plan,
    environ: Mapping[str, str],
    *,
    on_ready: Callable[[], None] = lambda: None,
    log_format: Format = "text",
    log_level: LogLevel = "info",
    log_file: Path | None = None,
) -> int:
    """Run a manager until SIGTERM, SIGINT or ``wscli down``, and give the exit code.

    ``environ`` locates the runtime and the state directory. ``on_ready`` is called when the socket answers; no channel
    has to be ready. ``log_format`` and ``log_level``, the lowest level written, are for stderr; ``log_file`` is their
    file, if wscli rotates it.

    Raises:
        WscliError: another manager owns the instance, or the runtime directory cannot be used.
    """
    _raise_open_files()
    service_manager = take_service_manager(os.environ)  # before commands of token sources and hooks inherit it

    async def serve() -> int:
        process = ManagerProcess(plan, environ, instance, service_manager, on_ready)
        file = RotatingLog(log_file) if log_file is not None else None
        process.manager.log_level = log_level
        with capture(process.manager.logs, form=log_format, level=log_level, file=file):
            return await process.serve()

    with own(plan, environ) as instance:
        try:
            return asyncio.run(serve())
        finally:
            instance.keep_locks()


def _raise_open_files() -> None:
    """Raise the limit of open files to the hard limit: each channel has a socket, and on disk several files.

    The usual soft limit of 1024 is for programs that call select(2), which a manager does not.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS refuses some unlimited values
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def make_manager(
    plan: Plan,
    *,
    clock: Clock,
    chance: random.Random,
    open_connection: OpenConnection,
    reachable: Callable[[str], bool],
    schedule: Schedule = call_later,
    environ: Mapping[str, str] = os.environ,
    http: HttpClient | None = None,
    make_session: MakeSession = DeclaredSession,
    resolve_name: Callable[[str], Awaitable[tuple[str, ...]]] = resolve,
    source: Callable[[str], str | None] = source_address,
) -> Manager:
    """Make a manager and everything that its channels share.

    ``chance`` is the source of jitter, and ``schedule`` runs on ``clock``; ``reachable`` says whether a route leads to
    an IP address, ``environ`` where state is kept and which proxies are used. Without ``http`` the manager has an HTTP
    client of its own. ``make_session`` gives each upstream its session, ``resolve_name`` the addresses of a name,
    ``source`` the address of ours at which a route begins.
    """
    base, state = plan.file.parent, _state_of(plan, environ)
    http = http or HttpClient(base=base, clock=clock, environ=environ)
    broker = Broker(plan.tokens, base=base, clock=clock, http=http, backoff=plan.backoff, chance=chance, state=state)
    budgets: dict[str, ConnectBudget] = {}
    tasks = Tasks()
    descriptors = DescriptorLimit(lambda text: manager.problems.report("descriptors", text), schedule=schedule)
    services = Services(
        dialer=Dialer(broker, budgets, descriptors, open_connection, clock),
        broker=broker,
        http=http,
        wheel=KeepaliveWheel(clock=clock, chance=chance, on_wake=lambda s: manager.woke(s), schedule=schedule),
        tasks=tasks,
        clock=clock,
        chance=chance,
        reachable=reachable,
        source=source,
        lookups=Lookups(resolve_name, tasks),
        schedule=schedule,
        base=base,
        environ=environ,
    )
    histories = Histories(plan.name, environ, clock, schedule=schedule)
    manager = Manager(plan, services, budgets, Upstreams(services, make_session), histories)
    return manager


def _state_of(plan: Plan, environ: Mapping[str, str]) -> Path | None:
    """Return the directory for what outlives the manager of a plan; None where no variable names one."""
    state = find_state_directory(environ)
    return None if state is None else Path(state, plan.name)


class ManagerProcess:
    """The parts of a manager's process, and its life."""

    def __init__(
        self,
        plan: Plan,
        environ: Mapping[str, str],
        instance: Ownership,
        service_manager: ServiceManager,
        on_ready: Callable[[], None],
    ) -> None:
        clock, chance = SystemClock(), random.SystemRandom()
        self.manager = make_manager(
            plan, clock=clock, chance=chance, open_connection=open_connection, reachable=reachable, environ=environ
        )
        self._instance = instance
        self._on_ready = on_ready
        self._monitor = NetworkMonitor(self.manager.network_changed, clock=clock, destinations=self.manager.addresses)
        self._hooks = Hooks(self.manager)
        state = _state_of(plan, environ)
        self._outbox = Outbox(self.manager, None if state is None else state / "outbox.db")
        self._gateway = Gateway(self.manager, self._outbox)
        self._notifier = Notifier(self.manager, service_manager)
        app = App(self.manager, self._outbox, self._gateway, leaving=[])
        self._server = Server(app, HANDLERS)
        self._watch = OwnershipWatch(instance, self.manager.problems, self._server.listen)
        for observer in (self._hooks, self._outbox, self._gateway, self._notifier):
            self.manager.observe(observer)

    async def serve(self) -> ExitCode:
        """Start, run until asked to stop, and stop; give the exit code."""
        asyncio.get_running_loop().set_default_executor(AbandonedThreads())
        with _signals(self.manager) as received:
            try:
                await self.startup()
                await self.main_loop()
            finally:
                await self.shutdown()
        return ExitCode.INTERRUPTED if signal.SIGINT in received else ExitCode.OK

    async def startup(self) -> None:
        """Answer at the socket and begin to dial; no channel has to be ready."""
        plan = self.manager.plan
        logger.info("wscli %s runs %s as pid %d", __version__, plan.name, os.getpid(), extra={"event": "started"})
        log_warnings(plan)
        self._monitor.start()
        self._gateway.reloaded()  # before clients can find the instance: they may go on to the gateway
        self._instance.publish()
        self._server.listen(self._instance.listener)
        self.manager.open()
        self._watch.start()
        await self._outbox.start()
        self._on_ready()
        self._notifier.ready()

    async def main_loop(self) -> None:
        """Wait until a signal or a client stops the manager."""
        await self.manager.stopping.wait()
        logger.info("stopping", extra={"event": "stopping"})

    async def shutdown(self) -> None:
        """Close the connections of clients and servers, and end every task."""
        self.manager.stopping.set()
        self._notifier.stopping()
        self._monitor.close()
        self._watch.close()
        await self._gateway.close()
        await self._outbox.settle()
        await asyncio.gather(self._hooks.close(), self.manager.close())  # hooks first: channels close for them unseen
        await self._server.close()
        await self._outbox.close()
        self._notifier.close()


@contextlib.contextmanager
def _signals(manager: Manager) -> Iterator[list[int]]:
    """Stop the manager on SIGTERM and SIGINT, reload its file on SIGHUP; gives the list of signals that stopped it.

    Once the manager stops, signals are ignored until the process ends, so that a second one does not interrupt the
    second that closing takes.
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
        await reload_file(manager)
    except WscliError as error:
        logger.warning("not reloaded: %s", error, extra={"event": "not-reloaded"})
