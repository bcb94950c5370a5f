"""The messages of sd_notify(3) to a service manager: which, in which order, and that a failure to send is harmless."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.scripted import REFUSED, Scripted, channel_plan, scripted
from tests.examples import SOME
from wscli.config.plan import ChannelPlan
from wscli.core.backoff import BackoffPolicy, GiveUpAttempts
from wscli.core.states import ChannelState
from wscli.errors import ConfigError
from wscli.process.notify import Notifier, ServiceManager, channel_summary, take_service_manager


class Listener:
    """The service manager's socket."""

    def __init__(self, address: str | bytes) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def fill(self) -> None:
        """Fill the socket, so that it takes no more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler, contextlib.suppress(BlockingIOError):
            filler.setblocking(False)
            while True:
                filler.sendto(b"FILL=1", self.socket.getsockname())

    def messages(self) -> list[list[str]]:
        """The lines of each received message."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode().splitlines())
            except BlockingIOError:
                return found


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(str(tmp_path / "notify"))
    with listener.socket:
        yield listener


@asynccontextmanager
async def notified(
    listener: Listener, *plans: ChannelPlan, watchdog: float | None = None
) -> AsyncIterator[tuple[Scripted, Notifier]]:
    async with scripted(*plans) as it:
        service_manager = ServiceManager(os.fsencode(listener.socket.getsockname()), watchdog)
        notifier = Notifier(it.manager, service_manager, schedule=it.time.schedule)
        yield it, notifier
        notifier.close()


async def test_ready_reload_and_stop_are_sent_in_order(listener: Listener) -> None:
    async with notified(listener, channel_plan("news"), channel_plan("calls")) as (it, notifier):
        notifier.ready()
        assert listener.messages() == [["READY=1", "STATUS=2 of 2 channels ready"]]
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        with notifier.reloading():
            ((reloading, since, _),) = listener.messages()
        assert reloading == "RELOADING=1"
        assert before <= int(since.removeprefix("MONOTONIC_USEC=")) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1e3
        assert listener.messages() == [["READY=1", "STATUS=2 of 2 channels ready"]]
        notifier.stopping()
        it.server.links[0].end(REFUSED)
        await it.time.advance(1.0)
        assert listener.messages() == [["STOPPING=1", "STATUS=closing the connections"]]


async def test_the_status_follows_the_states_and_is_not_repeated(listener: Listener) -> None:
    async with notified(listener, channel_plan("news"), channel_plan("calls", eager=False)) as (it, notifier):
        notifier.ready()
        assert listener.messages()[0][1] == "STATUS=1 of 1 channel ready, 1 idle"
        it.server.refusals = [REFUSED] * 3
        it.server.link.end(REFUSED)
        await it.time.advance(3.0)  # two more dials, which change nothing of it
        assert listener.messages() == [["STATUS=0 of 1 channel ready, 1 idle"]]
        await it.time.advance(30.0)
        assert listener.messages() == [["STATUS=1 of 1 channel ready, 1 idle"]]


async def test_a_refused_reload_stays_in_the_status_until_one_succeeds(listener: Listener) -> None:
    async with notified(listener) as (_, notifier):
        notifier.ready()
        with pytest.raises(ConfigError), notifier.reloading():
            raise ConfigError("app.yaml:1:1: no\x1b\napp.yaml:2:1: no")
        text = "STATUS=1 of 1 channel ready; not reloaded: app.yaml:1:1: no\\x1b"
        assert listener.messages()[-1] == ["READY=1", text]
        with notifier.reloading():
            pass
        assert listener.messages()[-1] == ["READY=1", "STATUS=1 of 1 channel ready"]


async def test_the_watchdog_is_fed_by_the_loop_at_half_its_time(listener: Listener) -> None:
    async with notified(listener, watchdog=10.0) as (it, notifier):
        await it.time.advance(60.0)
        assert listener.messages() == [], "the watchdog starts with READY=1"
        notifier.ready()
        await it.time.advance(20.1)
        assert listener.messages().count(["WATCHDOG=1"]) == 5
        notifier.close()
        await it.time.advance(60.0)
        assert listener.messages() == []


async def test_messages_that_a_full_socket_refused_are_sent_later_and_in_order(listener: Listener) -> None:
    async with notified(listener, watchdog=10.0) as (it, notifier):
        listener.fill()
        notifier.ready()
        with notifier.reloading():
            await it.time.advance(0.5)
        it.server.always = REFUSED
        it.server.link.end(REFUSED)
        await it.time.advance(1.0)
        assert all(lines == ["FILL=1"] for lines in listener.messages())
        await it.time.advance(0.2)
        told = listener.messages()
        assert [lines[0] for lines in told if lines[0].endswith("=1")][:3] == ["READY=1", "RELOADING=1", "READY=1"]
        states = [line for lines in told for line in lines if line.startswith("STATUS=")]
        assert states[-1] == "STATUS=0 of 1 channel ready", "the latest is sent last"


async def test_a_service_manager_that_is_gone_is_ignored(tmp_path: Path) -> None:
    async with scripted() as it:
        for address in (os.fsencode(tmp_path / "gone"), b"/" + b"x" * 500, b"/dev/null", b"\0wscli-gone"):
            notifier = Notifier(it.manager, ServiceManager(address, 1.0), schedule=it.time.schedule)
            notifier.ready()
            with notifier.reloading():
                await it.time.advance(5.0)
            notifier.stopping()
            notifier.close()
            notifier.close()


async def test_without_a_service_manager_no_timer_runs() -> None:
    async with scripted() as it:
        before = it.time.pending
        notifier = Notifier(it.manager, ServiceManager(None, 1.0), schedule=it.time.schedule)
        notifier.ready()
        with notifier.reloading():
            pass
        notifier.stopping()
        assert it.time.pending == before
        notifier.close()


async def test_an_address_that_begins_with_an_at_is_an_abstract_socket() -> None:
    name = f"wscli-test-{os.getpid()}"
    listener = Listener(f"\0{name}")
    with listener.socket:
        assert take_service_manager({"NOTIFY_SOCKET": f"@{name}"}) == ServiceManager(listener.socket.getsockname())
        async with notified(listener) as (_, notifier):
            notifier.ready()
            assert listener.messages()[0][0] == "READY=1"


async def test_the_status_counts_failed_channels() -> None:
    soon = BackoffPolicy(give_up=GiveUpAttempts(attempts=1))
    async with scripted(channel_plan("a", backoff=soon), channel_plan("b")) as it:
        assert channel_summary(it.manager) == "2 of 2 channels ready"
        it.server.always = REFUSED
        for link in list(it.server.links):
            link.end(REFUSED)
        await it.time.advance(60.0)
        assert it.manager.channel("a").state is ChannelState.FAILED
        assert channel_summary(it.manager) == "0 of 2 channels ready, 1 failed"


@pytest.mark.parametrize(
    ("whose", "usec", "expected"),
    [
        (None, "30000000", 30.0),
        pytest.param(str(os.getpid()), "500000", 0.5, id="ours"),
        ("1", "30000000", None),
        (None, "0", None),
        (None, "soon", None),
        (None, "-5", None),
        (None, "9" * 5000, None),
        (None, "²", None),
    ],
)
def test_a_watchdog_applies_to_its_own_process_only(whose: str | None, usec: str, expected: float | None) -> None:
    environ = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": usec, "HOME": "/"}
    if whose is not None:
        environ["WATCHDOG_PID"] = whose
    assert take_service_manager(environ) == ServiceManager(b"/run/notify", expected)
    assert environ == {"HOME": "/"}, "children would speak for us"


@settings(max_examples=SOME)
@given(st.dictionaries(st.sampled_from(["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]), st.text()))
def test_any_environment_can_be_read(environ: dict[str, str]) -> None:
    found = take_service_manager(environ)
    assert environ == {}
    assert found.watchdog is None or found.watchdog > 0
