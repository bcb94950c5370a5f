"""Pages of allowed origins: what their browser is told before and with each answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.gateway.http.asking import Asked, asked

PAGE = {"Origin": "http://localhost:3000"}
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
    "Authorization": "",  # a browser sends none
}


@pytest_asyncio.fixture
async def it() -> AsyncIterator[Asked]:
    async with asked(origins=("http://localhost:3000",)) as made:
        yield made


@pytest.mark.parametrize("path", ["/channels/news", "/channels/news/pause", "/stats"])
async def test_a_preflight_is_answered_without_the_token(it: Asked, path: str) -> None:
    answer = await it.http.options(path, headers=PAGE | PREFLIGHT)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert answer.headers["Vary"] == "Origin"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert {"authorization", "content-type", "last-event-id"} <= set(allowed.split(", "))


async def test_a_preflight_of_another_origin_or_host_is_refused(it: Asked) -> None:
    refused = await it.http.options("/channels/news", headers=PREFLIGHT | {"Origin": "http://evil.example"})
    assert refused.status_code == 403
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert (await it.http.options("/channels/news", headers=PAGE | PREFLIGHT | {"Host": "evil"})).status_code == 421


async def test_other_options_need_the_token(it: Asked) -> None:
    assert (await it.http.options("/channels/news", headers=PAGE | {"Authorization": ""})).status_code == 401


async def test_a_page_may_read_answers_refusals_and_the_cursor(it: Asked) -> None:
    for answer in (
        await it.get(headers=PAGE),
        await it.get("/channels/news?last=x", headers=PAGE),
        await it.get("/channels/nws", headers=PAGE),
        await it.post(content="a", headers=PAGE),
        await it.post("/channels/news/resume", headers=PAGE),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
        assert "Wscli-Cursor" in answer.headers["Access-Control-Expose-Headers"]
        assert answer.headers["Vary"] == "Origin"
    async with it.stream("follow=1", **PAGE) as stream:
        assert stream.answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
