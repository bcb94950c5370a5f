"""The pages for a plain GET: what each says, what it is sent as, and which of them need the token."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.daemon.scripted import Scripted, channel_plan, closed, scripted, with_token
from wscli.gateway.http.metrics import expose
from wscli.gateway.http.pages import PAGES, PageResponse
from wscli.tokens.models import TokenSource

STATIC = {
    "/": "text/html; charset=utf-8",
    "/page.js": "text/javascript; charset=utf-8",
    "/page.css": "text/css; charset=utf-8",
    "/manager.js": "text/javascript; charset=utf-8",
    "/badge.js": "text/javascript; charset=utf-8",
}
MACHINES = {"/stats", "/status", "/healthz", "/readyz", "/metrics"}


def get(it: Scripted, path: str) -> PageResponse:
    return PAGES[path].respond(it.manager)


def test_pages_that_show_channels_need_the_token() -> None:
    assert set(PAGES) == set(STATIC) | MACHINES
    assert {path for path, page in PAGES.items() if page.needs_token} == {"/stats", "/status", "/metrics"}


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_is_cached_sniffed_or_shows_a_secret(path: str) -> None:
    tokens = {"session": TokenSource.model_validate({"value": "s3cret"})}
    async with scripted(with_token(channel_plan()), tokens=tokens) as it:
        assert "s3cret" in it.server.link.target.url
        answer = get(it, path)
        assert b"s3cret" not in answer.body
        assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-cache", "nosniff")


@pytest.mark.parametrize(("path", "content_type"), STATIC.items())
async def test_a_file_is_in_the_package_and_sent_as_what_it_is(path: str, content_type: str, it: Scripted) -> None:
    answer = get(it, path)
    assert (answer.status, answer.content_type) == (200, content_type)
    assert answer.body.decode()


async def test_the_status_page_may_load_from_and_connect_to_the_gateway_only(it: Scripted) -> None:
    answer = get(it, "/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'",
        "connect-src": "'self' ws: wss:", "img-src": "'self' data:",
        "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    loaded = re.findall(r"""<(?:script|link|img)\b[^>]*?\b(?:src|href)=["']?([^"'\s>]+)""", answer.body.decode())
    assert {f"/{one.lstrip('./')}" for one in loaded if not one.startswith("data:")} <= set(PAGES)


async def test_stats_and_status_are_the_objects_of_the_commands() -> None:
    async with scripted(channel_plan(), channel_plan("calls", eager=False)) as it:
        it.server.link.say("hello")
        for path, told in (("/stats", it.manager.stats()), ("/status", it.manager.status())):
            answer = get(it, path)
            assert (answer.status, answer.content_type) == (200, "application/json")
            assert json.loads(answer.body) == told


async def test_healthz_is_ok_whatever_the_channels_do(it: Scripted) -> None:
    it.server.link.end(closed(1002))
    assert get(it, "/healthz")[:3] == (200, "text/plain; charset=utf-8", b"ok\n")


async def test_readyz_waits_for_every_eager_critical_channel_and_no_other() -> None:
    plans = (
        channel_plan("news"),
        channel_plan("alarms"),
        channel_plan("calls", critical=False),
        channel_plan("chat", eager=False),
        channel_plan("rooms/{id}"),
    )
    async with scripted(*plans) as it:
        it.manager.channel("rooms/1")
        it.manager.channel("calls").stop()
        answer = get(it, "/readyz")
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert json.loads(answer.body) == {"ready": True, "waiting": []}
        for name in ("news", "alarms"):
            it.manager.channel(name).pause()
        answer = get(it, "/readyz")
        assert answer.status == 503
        assert json.loads(answer.body) == {"ready": False, "waiting": ["news", "alarms"]}


async def test_the_metrics_come_in_the_format_that_is_accepted(it: Scripted) -> None:
    for accept in ("", "application/openmetrics-text"):
        answer = PAGES["/metrics"].respond(it.manager, accept)
        assert (answer.body, answer.content_type) == expose(it.manager, accept)


def test_the_metrics_library_is_loaded_at_the_first_scrape() -> None:
    code = "import sys, wscli.gateway.http.pages; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
