"""A page of an allowed origin: EventSource reads a channel and resumes, fetch sends and commands."""

from __future__ import annotations

import json

import pytest

from tests.backend.process import BackendProcess
from tests.e2e.browser.pages import TOKEN, App, Gateway, Page

READS = """
window.got = []; window.odd = [];
window.source = new EventSource(%s);
source.onmessage = (event) => got.push(JSON.parse(event.data).data);
for (const name of ["cursor", "gap", "end"]) source.addEventListener(name, () => odd.push(name));
"""


def stream(gateway: Gateway, **query: str) -> str:
    """The script of a page that reads the channel ``notifications``; the token goes by the query."""
    pairs = "&".join(f"{name}={value}" for name, value in {"token": TOKEN.replace("+", "%2B"), **query}.items())
    return READS % json.dumps(f"{gateway.url}/channels/notifications?{pairs}")


async def shown(page: Page, application: App, script: str) -> None:
    application.html = f"<!doctype html><p>page</p><script>{script}</script>"
    await page.go(application.origin)


async def test_an_event_source_gets_every_message_and_goes_on_where_its_connection_was_lost(
    page: Page, gateway: Gateway, application: App, backend: BackendProcess
) -> None:
    await shown(page, application, stream(gateway))
    await page.until("odd.length === 1 && odd[0] === 'cursor'")
    for text in ("first", "line\nline"):
        backend.order("say", message=text, path="/ws/notifications")
    await page.until("got.length === 2")
    assert await page.run("got") == ["first", "line\nline"]
    await page.run("source.close()")
    gateway.until("notifications", readers=0)


async def test_an_event_source_connects_again_by_itself_and_learns_of_the_gap(
    page: Page, gateway: Gateway, application: App, backend: BackendProcess
) -> None:
    await shown(page, application, stream(gateway))
    await page.until("odd.length === 1")
    gateway.stop()
    gateway.start()
    await page.until("odd.includes('gap')")  # the history of memory began anew: another epoch
    backend.order("say", message="after", path="/ws/notifications")
    await page.until("got.includes('after')")
    assert await page.run("odd") == ["cursor", "end", "gap"]
    await page.run("source.close()")


async def test_an_event_source_without_the_token_or_for_no_channel_ends(
    page: Page, gateway: Gateway, application: App
) -> None:
    for url in (f"{gateway.url}/channels/notifications", f"{gateway.url}/channels/nws?token={TOKEN}"):
        await shown(page, application, f"window.source = new EventSource({json.dumps(url)})")
        await page.until("source.readyState === EventSource.CLOSED")


@pytest.mark.parametrize("header", [True, False])
async def test_fetch_sends_reads_and_commands_with_the_token_in_a_header_or_the_query(
    page: Page, gateway: Gateway, application: App, header: bool
) -> None:
    await shown(page, application, "")
    query = "" if header else f"?token={TOKEN.replace('+', '%2B')}"
    headers = f"{{Authorization: 'Bearer {TOKEN}'}}" if header else "{}"  # with it the browser asks first
    url = f"{gateway.url}/channels/notifications"
    sent = gateway.channel("notifications")["sent"]
    await page.run(
        f"window.ask = async (method, path, body) => {{ const answer = await fetch('{url}' + path + '{query}',"
        f" {{method, body, headers: {headers}}}); return [answer.status, await answer.text(),"
        " answer.headers.get('Wscli-Cursor')]; }"
    )
    status, text, _ = await page.run("await ask('POST', '', 'hello')")
    assert (status, json.loads(text)["outcome"]) == (200, "sent")
    assert gateway.channel("notifications")["sent"] == sent + 1
    status, _, cursor = await page.run("await ask('GET', '')")
    assert (status, ":" in cursor) == (200, True)
    status, text, _ = await page.run("await ask('POST', '/pause')")
    assert (status, json.loads(text)["state"]) == (200, "paused")
    status, text, _ = await page.run("await ask('POST', '', 'hello')")
    assert (status, json.loads(text)["outcome"]) == (409, "rejected")
    assert (await page.run("await ask('POST', '/resume')"))[0] == 200
    gateway.until("notifications", state="ready")
