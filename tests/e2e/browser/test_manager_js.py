"""``window.webSocketManager`` in a page of another origin: shared and renewed, and the way without a gateway."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Awaitable, Callable

import pytest

from tests.backend.process import BackendProcess
from tests.e2e.browser.pages import App, Gateway, Page

HOSTILE = "<img src=x onerror=window.bad=1>"


def fetched(demo: BackendProcess) -> str:
    """Give a token of the back end, as an application gets one without a manager."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(f"{demo.url}/ws-token", method="POST"), timeout=30) as answer:
        found: str = json.load(answer)["token"]
    return found


Opened = Callable[..., Awaitable[None]]


@pytest.fixture
def opened(page: Page, gateway: Gateway, application: App) -> Opened:
    """Opens a page that runs the given script beside ``manager.js``."""

    async def go(body: str = "") -> None:
        application.html = f"<!doctype html><p id=out></p>{gateway.script()}<script>window.got = []; {body}</script>"
        await page.go(application.origin)

    return go


async def test_subscribers_share_one_connection_and_get_every_message_as_it_came(
    page: Page, gateway: Gateway, opened: Opened, backend: BackendProcess
) -> None:
    await opened(
        "window.other = []; const stop = webSocketManager.subscribe('notifications', (data, {channel, via}) =>"
        " { got.push(data); out.textContent = data; window.how = channel + via; });"
        "webSocketManager.subscribe('notifications', (data) => other.push(data)); window.stop = stop;"
    )
    gateway.until("notifications", readers=1)
    sent = gateway.channel("calls")["sent"]
    backend.order("say", message=HOSTILE, path="/ws/notifications")
    await page.until("other.length === 1 && got.length === 1")
    assert await page.run("got[0]") == HOSTILE
    assert await page.run("how") == "notificationsgateway"
    assert await page.run("window.bad === undefined && document.images.length === 0")
    await page.run("stop()")
    backend.order("say", message="second", path="/ws/notifications")
    await page.until("other.length === 2")
    assert await page.run("got.length") == 1
    assert gateway.channel("notifications")["readers"] == 1
    await page.run("await webSocketManager.send('calls', 'hello')")
    gateway.until("calls", sent=sent + 1)
    stats = await page.run("await webSocketManager.stats()")
    assert stats["connections"] == {"active": 2, "total": 2, "successors": 0, "unrouted": 0}
    assert (page.errors, page.warnings) == ([], [])


async def test_a_connection_has_the_interface_of_a_websocket(
    page: Page, gateway: Gateway, opened: Opened, backend: BackendProcess
) -> None:
    await opened("window.ws = webSocketManager.getConnection('notifications');")
    missing = "(() => { const all = []; for (const key in WebSocket.prototype) all.push(key); return all; })()"
    assert await page.run(f"{missing}.filter((key) => !(key in ws))") == []
    await page.run("ws.onmessage = ({data}) => got.push(data), ws.onclose = ({code}) => got.push(code)")
    await page.until("ws.readyState === ws.OPEN")
    url = f"ws://127.0.0.1:{gateway.port}/ws/notifications"
    assert await page.run("[ws.protocol, ws.url, ws.binaryType]") == ["", url, "blob"]
    backend.order("say", message="one", path="/ws/notifications")
    await page.until("got.length === 1")
    await page.run("ws.send('upstream'), ws.close(1000, 'enough')")
    await page.until("ws.readyState === ws.CLOSED && got[1] === 1000")
    gateway.until("notifications", readers=0)
    assert page.errors == []


async def test_connections_outlive_a_restart_of_the_manager_and_what_was_sent_meanwhile_is_sent_after_it(
    page: Page, gateway: Gateway, opened: Opened, backend: BackendProcess
) -> None:
    await opened(
        "window.ws = webSocketManager.getConnection('notifications'); window.events = [];"
        "for (const name of ['open', 'reconnecting', 'reconnected', 'close', 'error'])"
        " ws.addEventListener(name, () => events.push(name));"
        "webSocketManager.subscribe('notifications', (data) => got.push(data));"
    )
    await page.until("ws.readyState === 1")
    gateway.stop()
    await page.until("events.includes('reconnecting')")
    await page.run("ws.send('kept'), void (window.sent = webSocketManager.send('notifications', 'kept too'))")
    overflow = "(() => { try { ws.send('x'.repeat(1 << 20)); } catch (error) { return error.name; } })()"
    assert await page.run(overflow) == "QuotaExceededError"
    gateway.start()
    await page.until("events.includes('reconnected')")
    await page.run("await sent")
    gateway.until("notifications", sent=2)
    backend.order("say", message="again", path="/ws/notifications")
    await page.until("got.length === 1")
    assert await page.run("events") == ["open", "reconnecting", "reconnected"]


async def test_a_channel_that_failed_for_good_closes_with_the_upstream_code(
    page: Page, gateway: Gateway, opened: Opened, backend: BackendProcess
) -> None:
    await opened(
        "window.ws = webSocketManager.getConnection('notifications');"
        "ws.onclose = ({code, reason}) => { got.push([code, reason]); out.textContent = reason; };"
    )
    await page.until("ws.readyState === 1")
    backend.order("kick", path="/ws/notifications", code=1003, reason=HOSTILE)
    await page.until("got.length === 1")
    gateway.restart_channel("notifications")
    assert await page.run("got[0]") == [1003, HOSTILE]
    assert await page.run("window.bad === undefined && document.images.length === 0")
    assert page.errors == []


async def test_without_a_gateway_it_connects_directly_warns_once_and_comes_back_to_it(
    page: Page, gateway: Gateway, opened: Opened, backend: BackendProcess
) -> None:
    await opened()
    gateway.stop()
    url = f"{backend.ws_url}/notifications?token={await asyncio.to_thread(fetched, backend)}"
    await page.run(f"webSocketManager.configure({{direct: {{notifications: '{url}'}}}})")
    await page.run("window.stop = webSocketManager.subscribe('notifications', (data, {via}) => got.push([data, via]))")
    await page.run("window.ws = webSocketManager.getConnection('notifications')")
    await page.until("ws.readyState === 1 && ws.via === 'direct'")
    backend.order("say", message="direct", path="/ws/notifications")
    await page.until("got.length === 1")
    assert await page.run("got[0]") == ["direct", "direct"]
    assert [text for text in page.warnings if "connecting directly" in text] == page.warnings
    assert len(page.warnings) == 1
    gateway.start()
    await page.run("window.stopStatus = webSocketManager.onStatus(() => {})")
    await page.until("(webSocketManager.onStatus((view) => window.back = view.connected)(), window.back)")
    await page.run("window.later = webSocketManager.getConnection('notifications')")
    await page.until("later.readyState === 1 && later.via === 'gateway'")


async def test_a_channel_that_is_not_declared_is_refused_in_words(page: Page, opened: Opened) -> None:
    await opened("webSocketManager.getConnection('nothing').onclose = (event) => got.push(event.reason);")
    await page.until("got.length === 1")
    assert await page.run("got[0]") == 'the gateway has no channel "nothing"'
    assert page.warnings == ['webSocketManager: the gateway has no channel "nothing"']
