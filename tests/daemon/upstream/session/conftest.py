"""A session's parts on a scripted link, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest_asyncio

from tests.daemon.scripted import ScriptedLink, ScriptedServer
from tests.daemon.virtual_time import VirtualTime
from wscli.core.backoff import BackoffPolicy
from wscli.daemon.upstream.services import Services, Unrouted
from wscli.net.http import HttpAnswer, HttpRequest, RequestFailed
from wscli.tasks import Tasks
from wscli.tokens.broker import Broker
from wscli.tokens.models import TokenSource
from wscli.transport.connection import DialTarget


class Text(str):
    """A message of a session."""

    __slots__ = ("urgent",)

    def __new__(cls, text: str, *, urgent: bool = False) -> Text:
        made = super().__new__(cls, text)
        made.urgent = urgent
        return made


class ScriptedHttp:
    """Answers HTTP requests as the test says, or keeps them waiting."""

    def __init__(self) -> None:
        self.asked: list[HttpRequest] = []
        self.answers: list[HttpAnswer | RequestFailed] = []
        self.hold: asyncio.Event | None = None
        """What each answer waits for, while it is there."""

    async def fetch(self, request: HttpRequest, *, read_errors: bool = False) -> HttpAnswer:
        assert read_errors
        self.asked.append(request)
        if self.hold is not None:
            await self.hold.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, RequestFailed):
            raise answer
        return answer

    async def close(self) -> None: ...


class Parts:
    """What a session's parts need, and a link."""

    def __init__(self, tmp_path: Path) -> None:
        self.time = VirtualTime()
        self.tasks = Tasks()
        self.http = ScriptedHttp()
        self.file = tmp_path / "token"
        self.file.write_text("s3cret-one")
        sources = {"api": TokenSource.model_validate({"file": str(self.file)})}
        self.broker = Broker(
            sources, base=tmp_path, clock=self.time, backoff=BackoffPolicy(), chance=random.Random(1), environ={}
        )
        mine = {"schedule": self.time.schedule, "tasks": self.tasks, "clock": self.time, "http": self.http}
        more = {"unrouted": Unrouted(), "broker": self.broker, "base": tmp_path, "environ": {"PATH": "/usr/bin:/bin"}}
        self.services: Services = SimpleNamespace(**mine, **more)  # type: ignore[assignment]
        self.link = ScriptedLink(ScriptedServer(self.time), DialTarget("ws://h"), _Deaf())
        self.link.server.links.append(self.link)


class _Deaf:
    def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None: ...
    def on_end(self, failure: Any) -> None: ...


@pytest_asyncio.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    made = Parts(tmp_path)
    yield made
    await made.broker.close()
    await made.time.advance(0)
    assert made.time.pending == [], "a timer was left"
    assert len(made.tasks) == 0, "a task was left"
