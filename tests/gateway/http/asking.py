"""A gateway on a scripted upstream, asked by httpx."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx

from tests.gateway.faced import TOKEN, Faced, faced
from wscli.config.plan import ChannelPlan

__all__ = ["Asked", "Stream", "asked", "records"]


class Stream:
    """An answer without an end, and its lines as they arrive."""

    def __init__(self, answer: httpx.Response, lines: AsyncIterator[str]) -> None:
        self.answer = answer
        self.lines = lines

    async def record(self) -> Any:
        """The next record; empty lines keep the stream alive."""
        while not (line := await anext(self.lines)):
            pass
        return json.loads(line)

    async def records(self) -> list[Any]:
        """All records until the end."""
        return [json.loads(line) async for line in self.lines if line]


class Asked(Faced):
    """The gateway, and a client that has the token."""

    http: httpx.AsyncClient

    @property
    def epoch(self) -> str:
        """The epoch of the channel ``news``."""
        return self.channel.history.epoch

    async def get(self, path: str = "/channels/news", **more: Any) -> httpx.Response:
        return await self.http.get(path, **more)

    @asynccontextmanager
    async def stream(self, query: str = "follow=1", **headers: str) -> AsyncIterator[Stream]:
        """Follow the channel ``news``."""
        path = f"/channels/news?{query}"
        async with (
            self.http.stream("GET", path, headers=headers) as answer,
            aclosing(answer.aiter_lines()) as lines,
        ):
            yield Stream(answer, lines)

    async def post(self, path: str = "/channels/news", **more: Any) -> httpx.Response:
        return await self.http.post(path, **more)


@asynccontextmanager
async def asked(*plans: ChannelPlan, **options: Any) -> AsyncIterator[Asked]:
    """Open a gateway, and a client of it that takes nothing from the environment."""
    async with faced(*plans, **options) as it:
        found = Asked(it.it, it.gateway)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        address = f"http://127.0.0.1:{found.port}"
        async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False, timeout=30) as http:
            found.http = http
            yield found


def records(answer: httpx.Response) -> list[Any]:
    """The objects of an answer in JSON lines."""
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.content.split(b"\n") if line]
