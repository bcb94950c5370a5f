"""A rotated refresh token outlives the manager where its source says so, in a private file, until it is forgotten."""

from __future__ import annotations

import asyncio
import json
import os
import random
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.tokens.conftest import BACKOFF, FakeClock
from wscli.net.http import HttpClient
from wscli.tokens.broker import Broker
from wscli.tokens.errors import TokenFailed
from wscli.tokens.memory import TokenMemory, memory_path
from wscli.tokens.models import TokenSource
from wscli.values import Secret


class Managers:
    """Managers one after another, of one source and one state directory."""

    def __init__(self, endpoint: Any, clock: FakeClock, state: Path) -> None:
        self.endpoint = endpoint
        self.state = state
        self._clock = clock
        self._brokers: list[Broker] = []
        self.grant("r2")

    @property
    def file(self) -> Path:
        return memory_path(self.state, "s")

    def grant(self, refresh_token: str) -> None:
        self.endpoint.say(json.dumps({"access_token": "t", "refresh_token": refresh_token}))

    def start(self, declared: str = "r1", *, remember: bool = True) -> Broker:
        oauth2 = {"token_url": self.endpoint.url, "client_id": "me", "refresh_token": declared}
        sources = {"s": TokenSource.model_validate({"oauth2": oauth2, "remember": remember})}
        http = HttpClient(base=self.state, clock=self._clock, environ={})
        made = Broker(
            sources,
            base=self.state,
            clock=self._clock,
            http=http,
            backoff=BACKOFF,
            chance=random.Random(0),
            state=self.state,
        )
        self._brokers.append(made)
        return self._brokers[-1]

    def asked_with(self) -> str:
        """The refresh token of the last request."""
        return self.endpoint.seen[-1].body.decode().partition("refresh_token=r")[2][:1]

    async def close(self) -> None:
        for broker in self._brokers:
            await broker.close()


@pytest_asyncio.fixture
async def managers(endpoint: Any, clock: FakeClock, tmp_path: Path) -> Any:
    made = Managers(endpoint, clock, tmp_path / "state" / "app")
    yield made
    await made.close()


async def test_the_next_manager_goes_on_with_the_rotated_refresh_token(managers: Managers) -> None:
    await managers.start().get("s")
    assert stat.S_IMODE(managers.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(managers.state.stat().st_mode) == 0o700
    assert [one.name for one in managers.state.iterdir()] == [managers.file.name], "no temporary file is left"
    managers.grant("r3")
    await managers.start().get("s")
    assert managers.asked_with() == "2"
    await managers.start().get("s")
    assert managers.asked_with() == "3"


async def test_without_remember_nothing_is_written(managers: Managers) -> None:
    await managers.start(remember=False).get("s")
    assert not managers.state.exists()
    await managers.start(remember=False).get("s")
    assert managers.asked_with() == "1"


async def test_another_declared_token_begins_anew(managers: Managers) -> None:
    await managers.start().get("s")
    await managers.start(declared="r7").get("s")
    assert managers.asked_with() == "7"


async def test_forget_and_invalid_grant_remove_the_file(managers: Managers) -> None:
    broker = managers.start()
    await broker.get("s")
    broker.forget("s")
    assert not managers.file.exists()
    await broker.get("s")
    assert managers.asked_with() == "1"
    assert managers.file.exists()
    managers.endpoint.say('{"error":"invalid_grant"}', status=400)
    with pytest.raises(TokenFailed, match="invalid_grant"):
        await broker.refresh("s")
    assert managers.asked_with() == "2"
    assert not managers.file.exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"refresh_token": 1}', b"[" * 100_000, b"\xff"])
async def test_a_file_that_cannot_be_read_is_passed_over(managers: Managers, content: bytes) -> None:
    managers.state.mkdir(parents=True)
    managers.file.write_bytes(content)
    await managers.start().get("s")
    assert managers.asked_with() == "1"


async def test_a_fifo_or_a_link_in_its_place_holds_up_nothing(managers: Managers) -> None:
    managers.state.mkdir(parents=True)
    os.mkfifo(managers.file)
    await managers.start().get("s")
    assert managers.file.is_file(), "it was replaced"
    managers.file.unlink()
    managers.file.symlink_to("/etc/passwd")
    await managers.start().get("s")
    assert managers.asked_with() == "1"


async def test_a_disk_that_refuses_costs_the_memory_and_not_the_token(
    managers: Managers, caplog: pytest.LogCaptureFixture
) -> None:
    managers.state.parent.mkdir()
    managers.state.write_text("a file in place of the directory")
    assert (await managers.start().get("s")).value.reveal() == "t"
    assert "a refresh token is not remembered" in caplog.text
    assert "r2" not in caplog.text.replace(str(managers.state), "")


async def test_a_disk_that_refuses_to_forget_is_reported_and_the_manager_forgets(
    managers: Managers, caplog: pytest.LogCaptureFixture
) -> None:
    broker = managers.start()
    await broker.get("s")
    managers.file.unlink()
    managers.file.mkdir()
    broker.forget("s")
    assert "a refresh token is not forgotten" in caplog.text
    await broker.get("s")
    assert managers.asked_with() == "1"


async def test_a_token_is_on_disk_though_its_fetch_was_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        begun.set()
        go_on.wait(10)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    path = tmp_path / "s.token"
    keeping = asyncio.create_task(TokenMemory(path).keep(Secret("r2")))
    await asyncio.to_thread(begun.wait, 10)
    keeping.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    kept = await TokenMemory(path).recall()
    assert kept is not None
    assert kept.reveal() == "r2"


@pytest.mark.parametrize(
    "source",
    [
        {"env": "TOKEN"},
        {"oauth2": {"token_url": "https://a.example/t", "client_id": "me", "client_secret": "s"}},
    ],
)
def test_only_a_source_that_may_rotate_can_remember(source: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="remember must stand beside oauth2 with a refresh_token"):
        TokenSource.model_validate({**source, "remember": True})
