"""A clock that stands until it is told, and a token endpoint on loopback that answers as scripted."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.history.ticking import Ticking
from wscli.core.backoff import BackoffPolicy
from wscli.core.failures import Failure, FailureKind
from wscli.net.http import HttpClient
from wscli.tokens.broker import Broker
from wscli.tokens.errors import SourceFailed, TokenFailed
from wscli.tokens.fetcher import BrokerToken, FetchContext, SourceAnswer
from wscli.tokens.models import TokenSource
from wscli.values import Secret

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


BACKOFF = BackoffPolicy(initial=1.0, max=8.0, jitter="none")
"""Of a source that fails: it is asked again after 1, 2, 4, 8, 8 seconds."""


class FakeClock(Ticking):
    """Every clock in one, moved by hand."""

    def __init__(self) -> None:
        super().__init__(1_000.0)

    def wall(self) -> float:
        return self.now + 1_799_999_000.0

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Endpoint:
    """The server; ``answer`` is what it says next."""

    url: str
    seen: list[Seen] = field(default_factory=list)
    answer: Handler | None = None

    def say(self, text: str = "", *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        async def answer(_: web.BaseRequest) -> web.Response:
            return web.Response(status=status, text=text, headers=headers)

        self.answer = answer


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@asynccontextmanager
async def served() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint("")

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        endpoint.seen.append(Seen(request.method, request.path_qs, headers, await request.read()))
        assert endpoint.answer is not None
        return await endpoint.answer(request)

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    endpoint.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield endpoint
    await runner.cleanup()


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with served() as found:
        yield found


@pytest_asyncio.fixture
async def other_endpoint() -> AsyncIterator[Endpoint]:
    async with served() as found:
        yield found


@pytest_asyncio.fixture
async def http(tmp_path: Path, clock: FakeClock) -> AsyncIterator[HttpClient]:
    client = HttpClient(base=tmp_path, clock=clock, environ={})
    yield client
    await client.close()
    await asyncio.sleep(0)


Make = Callable[[Mapping[str, Any]], Broker]


@pytest_asyncio.fixture
async def make(clock: FakeClock, tmp_path: Path) -> AsyncIterator[Make]:
    """Make brokers of sources, or of their keys."""
    made: list[Broker] = []

    def make_broker(sources: Mapping[str, Any]) -> Broker:
        loaded = {name: TokenSource.model_validate(source) for name, source in sources.items()}
        environ, chance = {"PATH": "/usr/bin:/bin"}, random.Random(1)
        made.append(Broker(loaded, base=tmp_path, clock=clock, environ=environ, backoff=BACKOFF, chance=chance))
        return made[-1]

    yield make_broker
    for broker in made:
        await broker.close()


class Script:
    """A source whose fetches wait until the test answers them."""

    def __init__(self, needs: frozenset[str] = frozenset()) -> None:
        self.waiting: list[asyncio.Future[SourceAnswer]] = []
        self.begun = 0
        self._needs = needs

    async def fetch(self, context: FetchContext) -> SourceAnswer:
        self.begun += 1
        await context.scope(self._needs)
        future: asyncio.Future[SourceAnswer] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        try:
            return await future
        finally:
            self.waiting.remove(future)

    def references(self) -> frozenset[str]:
        return self._needs

    async def answer(self, text: str = "t", life: float | None = None) -> None:
        self.waiting[0].set_result(SourceAnswer(Secret(text), life))
        await turns()

    async def fail(self, error: Exception | None = None) -> None:
        self.waiting[0].set_exception(error or SourceFailed("HTTP 500 from https://api.example.com/ws-token"))
        await turns()


async def turns() -> None:
    """Let everything that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


def scripted(script: Script, **keys: Any) -> TokenSource:
    return TokenSource.model_construct(http=script, **keys)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def broker(make: Make, script: Script) -> Broker:
    return make({"s": scripted(script)})


async def ask(broker: Broker, name: str = "s", times: int = 1) -> list[asyncio.Task[BrokerToken]]:
    tasks = [asyncio.create_task(broker.get(name)) for _ in range(times)]
    await turns()
    return tasks


async def filled(broker: Broker, script: Script, text: str = "t", life: float | None = None) -> BrokerToken:
    (task,) = await ask(broker)
    await script.answer(text, life)
    return task.result()


@pytest.fixture
def context(tmp_path: Path, clock: FakeClock, http: HttpClient) -> FetchContext:
    """What a source fetches with; the tokens ``other`` and ``second`` can be had."""

    async def token(name: str) -> BrokerToken:
        if name not in ("other", "second"):
            raise TokenFailed(Failure(FailureKind.TOKEN, f"token {name!r}: broken"))
        return BrokerToken(Secret(f"{name}-value"), 7, clock.now + (50 if name == "other" else 90))

    return FetchContext(tmp_path, {"PATH": "/usr/bin:/bin"}, clock, http, token)
