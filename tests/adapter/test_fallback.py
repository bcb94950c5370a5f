"""What happens where the manager cannot hold the connection: a direct one and one warning, or an error."""

from __future__ import annotations

import asyncio
import http
import logging
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve, unix_serve
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.http11 import Request, Response

from tests.adapter.answering import ATTACHED, UNKNOWN, Managers, managers
from tests.processes import Wscli
from wscli.adapter import attach as attach_module
from wscli.adapter import connect
from wscli.adapter import sync as twin
from wscli.errors import NoInstance, UnknownChannel, UsageError, WscliError

__all__ = ["managers"]

Talk = Callable[..., str]


async def talk_async(url: str, **options: Any) -> str:
    async with connect(url, **options) as websocket:
        await websocket.send("hello")
        return str(await websocket.recv())


def _talk_sync(url: str, **options: Any) -> str:
    with twin.connect(url, **options) as websocket:
        websocket.send("hello")
        return str(websocket.recv())


@pytest.fixture(params=["async", "sync"])
def talk(request: pytest.FixtureRequest) -> Talk:
    """Say hello to an echo, with each client in turn."""
    return _talk_sync if request.param == "sync" else lambda url, **options: asyncio.run(talk_async(url, **options))


@pytest.fixture
def echo(plain_port: int) -> str:
    return f"ws://127.0.0.1:{plain_port}/echo/x"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert {record.name for record in found} <= {"wscli.adapter"}
    return [record.getMessage() for record in found]


def test_without_a_manager_it_is_direct_and_says_so_once(
    talk: Talk, echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = echo.replace("ws://", "ws://me:pa55@") + "?token=s3cret"
    assert [talk(secret), talk(secret)] == ["hello", "hello"]
    (warning,) = warnings(caplog)
    assert warning == (
        f"{echo} is dialled directly, and not shared: no instance is running (start one with `wscli up -d -c FILE`)"
    )


SYNC = "from wscli.adapter.sync import connect\nfor _ in range(2):\n    with connect({url!r}): pass\n"
ASYNC = """\
import asyncio, wscli.adapter
async def connect():
    async with wscli.adapter.connect({url!r}): pass
for _ in range(2): asyncio.run(connect())
"""


@pytest.mark.parametrize("program", [SYNC, ASYNC], ids=["sync", "async"])
def test_the_warning_is_on_stderr_by_default(program: str, echo: str) -> None:
    code = program.format(url=echo.replace("ws://", "ws://me:pa55@") + "?token=s3cret")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{echo} is dialled directly, and not shared: no instance is running")
    assert "s3cret" not in line
    assert "pa55" not in line


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (UNKNOWN, "no channel of instance 'app' has this URL (look)"),
        (
            b"",
            (
                "the manager of 'app' hung up"
                " (`wscli ls` lists it if it runs; `wscli up -d -c /nowhere/app.yaml` starts it)"
            ),
        ),
        (None, "the manager did not answer in time (`wscli ls` shows its pid, and whether it answers)"),
        (ATTACHED, "the manager went away during the handshake (see `wscli ls`)"),
    ],
)
def test_a_manager_that_is_of_no_use_is_gone_around(
    talk: Talk,
    echo: str,
    managers: Managers,
    answer: bytes | None,
    reason: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attach_module, "ATTACH_PATIENCE", 0.05)
    managers.add("app", answer)
    assert talk(echo) == "hello"
    assert warnings(caplog) == [f"{echo} is dialled directly, and not shared: {reason}"]
    assert managers.asked == [("app", echo)]


@pytest.mark.parametrize(("answer", "kind"), [(UNKNOWN, UnknownChannel), (b"", NoInstance), (ATTACHED, NoInstance)])
def test_an_error_is_the_other_choice(
    talk: Talk,
    echo: str,
    managers: Managers,
    answer: bytes,
    kind: type[WscliError],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WSCLI_FALLBACK", "error")
    with pytest.raises(NoInstance, match="no instance is running"):
        talk(echo)
    managers.add("app", answer)
    with pytest.raises(kind):
        talk(echo)
    assert warnings(caplog) == []


def test_another_choice_is_a_mistake_even_where_nothing_falls_back(
    talk: Talk, managed: Wscli, echo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", str(managed.runtime))
    monkeypatch.setenv("WSCLI_FALLBACK", "maybe")
    with pytest.raises(UsageError, match="WSCLI_FALLBACK is 'maybe'"):
        talk(echo)


@pytest.mark.usefixtures("patient")
def test_a_real_manager_without_the_channel_is_gone_around(
    talk: Talk, managed: Wscli, plain_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", str(managed.runtime))
    assert talk(f"ws://127.0.0.1:{plain_port}/echo/x?unknown=1") == "hello"
    (warning,) = warnings(caplog)
    assert "no channel of instance 'app' has this URL" in warning


def test_a_socket_of_the_callers_own_goes_direct_without_a_word(
    talk: Talk, managers: Managers, plain_port: int, echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    managers.add("app", ATTACHED)
    assert talk(echo, sock=socket.create_connection(("127.0.0.1", plain_port))) == "hello"
    assert managers.asked == []
    assert warnings(caplog) == []


async def test_a_unix_socket_goes_direct_without_a_word(
    talk: Talk, managers: Managers, caplog: pytest.LogCaptureFixture
) -> None:
    managers.add("app", ATTACHED)
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = str(Path(directory, "server"))
        async with unix_serve(_echo, path):
            assert await asyncio.to_thread(talk, "ws://localhost/", unix=True, path=path) == "hello"
    assert managers.asked == []
    assert warnings(caplog) == []


async def _echo(websocket: ServerConnection) -> None:
    async for message in websocket:
        await websocket.send(message)


async def test_a_redirect_is_followed_and_its_target_asked_for(managers: Managers, echo: str) -> None:
    managers.add("app", UNKNOWN)

    def redirect(websocket: ServerConnection, request: Request) -> Response:
        answer = websocket.respond(http.HTTPStatus.FOUND, "")
        answer.headers["Location"] = echo
        return answer

    async with serve(_echo, "127.0.0.1", 0, process_request=redirect) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/old"
        assert await talk_async(url) == "hello"
    assert [asked for _, asked in managers.asked] == [url, echo]


async def test_each_reconnection_asks_anew_and_follows_the_callers_rules(managers: Managers, plain_port: int) -> None:
    managers.add("app", UNKNOWN)
    url = f"ws://127.0.0.1:{plain_port}/flaky/x"
    connecter = connect(url)
    for _ in range(2):
        async with connecter as websocket:
            assert await websocket.recv() == "tick"
    assert [asked for _, asked in managers.asked] == [url, url]

    seen: list[Exception] = []

    def fatal(error: Exception) -> Exception:
        seen.append(error)
        return error

    with pytest.raises(OSError, match="Connect call failed"):
        await anext(aiter(connect("ws://127.0.0.1:9/", process_exception=fatal)))
    assert [type(error) for error in seen] == [ConnectionRefusedError]


async def test_an_error_that_was_chosen_ends_the_reconnecting(monkeypatch: pytest.MonkeyPatch, echo: str) -> None:
    monkeypatch.setenv("WSCLI_FALLBACK", "error")
    with pytest.raises(NoInstance):
        await anext(aiter(connect(echo)))


def test_the_time_to_open_counts_the_manager(
    talk: Talk, managers: Managers, echo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attach_module, "ATTACH_PATIENCE", 0.3)
    managers.add("app", None)
    with pytest.raises(TimeoutError, match=r"timed out"):
        talk(echo, open_timeout=0.02)


@pytest.mark.usefixtures("patient")
async def test_a_failed_channel_is_no_reason_to_go_around(
    managed: Wscli, plain_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server said no, to the manager; a connection of one's own would only ask it again."""
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", str(managed.runtime))
    url = f"ws://127.0.0.1:{plain_port}/end/4444/x"
    async with connect(url) as websocket:
        await websocket.send("go")
        assert await websocket.recv() == "the last"
        with pytest.raises(ConnectionClosedError):
            await websocket.recv()
    with pytest.raises(InvalidStatus) as caught:
        await connect(url)
    assert caught.value.response.status_code == 502
