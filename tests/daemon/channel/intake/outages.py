"""A channel that loses its connection, and the HTTP endpoint that has what it missed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.daemon.scripted import Scripted, channel_plan, closed, scripted
from wscli.backfill.models import BackfillModel
from wscli.config.plan import ChannelPlan
from wscli.control.messages import Reload
from wscli.daemon.channel.intake.requests import ATTEMPTS
from wscli.history.records import GapRecord
from wscli.net.http import HttpAnswer, HttpRequest, RequestFailed

__all__ = [
    "WRONG_ANSWERS",
    "Http",
    "NumberedLog",
    "lost",
    "message",
    "numbered",
    "outage",
    "plan",
    "problems",
    "reload",
    "told",
]

WRONG_ANSWERS: dict[str, Any] = {
    "refused": RequestFailed("connection refused"),
    "401": HttpAnswer(401, b"", None),
    "503": HttpAnswer(503, b"", 2.0),
    "a day": HttpAnswer(503, b"", 86_400.0),
    "junk": HttpAnswer(200, b"<html>", None),
    "no list": HttpAnswer(200, b'{"id":1}', None),
}


def plan(name: str = "news", **more: Any) -> ChannelPlan:
    """A plan whose server has ``GET /missed?after=ID``; keyword arguments are keys of the backfill, or its URL."""
    url = more.pop("url", "https://example.com/missed?after={gap.id}")
    headers = more.pop("headers", {})
    declared = {"http": {"get": url, "headers": headers}, "capture": {"id": ".id"}, "id": ".id", **more}
    return channel_plan(name, backfill=BackfillModel.model_validate(declared))


class Http:
    """Answers with what the test says: a list of ids, a status, or a failure; waits while ``hold`` is set."""

    def __init__(self, *answers: list[Any] | int | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[HttpRequest] = []
        self.hold: asyncio.Future[None] | None = None

    async def fetch(self, request: HttpRequest, *, read_errors: bool = False) -> HttpAnswer:
        self.requests.append(request)
        if self.hold is not None:
            await self.hold
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return HttpAnswer(answer, b"", None)
        items = [{"id": item} if isinstance(item, int) else item for item in answer]
        return HttpAnswer(200, json.dumps(items).encode(), None)

    async def close(self) -> None:
        pass

    async def go_on(self, it: Scripted, *, once: bool = False) -> None:
        """Answer what waits, and the next calls; ``once`` lets the next one wait."""
        assert self.hold is not None
        waiting, self.hold = self.hold, asyncio.get_running_loop().create_future() if once else None
        waiting.set_result(None)
        await it.time.settle()

    @property
    def urls(self) -> list[str]:
        return [request.url.rpartition("/")[2] for request in self.requests]


def message(number: int) -> str:
    return json.dumps({"id": number}, separators=(",", ":"))


async def outage(it: Scripted, seconds: float = 1.0) -> None:
    """Lose the connection, and be ready again."""
    it.server.link.end(closed(1006))
    await it.time.advance(seconds)
    await it.time.settle()


@asynccontextmanager
async def lost(
    *answers: Any,
    declared: ChannelPlan | None = None,
    first: Sequence[str | bytes] = (message(1),),
    held: bool = False,
    opened: str | None = None,
    **options: Any,
) -> AsyncIterator[tuple[Scripted, Http]]:
    """A channel after its first messages and an outage, and what it asks.

    ``first`` has binary messages as bytes. Held, no answer comes before ``Http.go_on``. ``opened`` is a template's
    channel, opened by hand. ``options`` are of `scripted`.
    """
    http = Http(*answers)
    async with scripted(declared or plan(), http=http, **options) as it:
        if opened is not None:
            it.manager.channel(opened).start()
            await it.time.settle()
        for one in first:
            if isinstance(one, bytes):
                it.server.link.listener.on_batch([one], b"b")
            else:
                it.server.link.say(one)
        http.hold = asyncio.get_running_loop().create_future() if held else None
        await outage(it)
        yield it, http


def told(it: Scripted) -> list[Any]:
    """All that readers are told: ids, ``+`` before those that were asked for, and ``(reason, backfilled)`` of gaps."""
    cursor, found = it.channel.history.seek_start().cursor, []
    while (item := it.channel.history.read(cursor)) is not None:
        cursor = item.cursor
        if isinstance(item.item, GapRecord):
            found.append((item.item.reason, item.item.backfilled))
        else:
            mark = "+" if item.item.backfill else ""
            found += [f"{mark}{json.loads(payload).get('id')}" for payload in item.item.payloads]
    return found


def problems(it: Scripted) -> list[str]:
    return it.channel.problems.texts()


def reload(it: Scripted, declared: ChannelPlan) -> Reload:
    return it.manager.apply(replace(it.plan, channels={declared.name: declared}))


def numbered(number: int) -> str:
    return json.dumps({"id": number, "key": f"k{number}"}, separators=(",", ":"))


class NumberedLog:
    """All that the server ever said, and the HTTP endpoint that has it."""

    def __init__(self) -> None:
        self.last = 0
        self.page = 100
        self.wrong: list[str] = []
        self.hold: asyncio.Future[None] | None = None
        self.answered: set[int] = set()
        self.gave_up = False
        self._failed = 0

    async def fetch(self, request: HttpRequest, *, read_errors: bool = False) -> HttpAnswer:
        if self.hold is not None:
            await asyncio.shield(self.hold)
        if self.wrong:
            wrong = self.wrong.pop(0)
            self._failed += 1
            self.gave_up |= wrong == "a day" or self._failed >= ATTEMPTS
            if isinstance(WRONG_ANSWERS[wrong], Exception):
                raise WRONG_ANSWERS[wrong]
            answer: HttpAnswer = WRONG_ANSWERS[wrong]
            return answer
        self._failed = 0
        after = int(parse_qs(urlsplit(request.url).query)["after"][0])
        page = range(after + 1, min(self.last, after + self.page) + 1)
        self.answered |= set(page)
        return HttpAnswer(200, f"[{','.join(map(numbered, page))}]".encode(), None)

    async def close(self) -> None:
        pass

    def go_on(self) -> None:
        hold, self.hold = self.hold, None
        if hold is not None:
            hold.set_result(None)
