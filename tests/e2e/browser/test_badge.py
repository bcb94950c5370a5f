"""``<ws-status>`` in a page of another origin: the truth within a second, words only for outages that lasted."""

from __future__ import annotations

from tests.backend.process import BackendProcess
from tests.e2e.browser.pages import ATTEMPTS, App, Gateway, Page

BADGE = "document.querySelector('ws-status').shadowRoot"
LISTEN = "<script>window.news = []; addEventListener('ws-announce', ({detail}) => news.push(detail.event))</script>"


async def opened(page: Page, gateway: Gateway, application: App, attributes: str = "", numbers: str = "2/2") -> None:
    badge = gateway.script("badge.js")
    application.html = f"<!doctype html>{LISTEN}{badge}<p><ws-status {attributes}></ws-status>"
    await page.go(application.origin)
    await page.until(f"{BADGE}.querySelector('button').textContent === '{numbers}'")


async def test_an_outage_and_its_return_show_within_a_second_and_are_announced(
    page: Page, gateway: Gateway, application: App, backend: BackendProcess
) -> None:
    await opened(page, gateway, application)
    label = f"{BADGE}.querySelector('button').ariaLabel"
    assert await page.run(label) == "2 of 2 channels connected"
    lost = restored = 60.0
    for attempt in range(1, ATTEMPTS + 1):
        backend.order("deny", path="/ws/notifications")
        backend.order("kick", path="/ws/notifications", code=1012)
        lost = min(lost, await page.took(f"{BADGE}.querySelector('button').textContent === '1/2'"))
        await page.until("document.querySelector('ws-status').dataset.state !== 'up' && news.at(-1) === 'lost'")
        backend.order("allow")
        restored = min(restored, await page.took(f"{BADGE}.querySelector('button').textContent === '2/2'"))
        await page.until("news.at(-1) === 'restored'")
        assert await page.run("news") == ["lost", "restored"] * attempt
        if lost < 1.0 and restored < 1.2:
            break
    assert lost < 1.0
    assert restored < 1.2, "its wait of 0.2 s included"
    assert page.errors == []


async def test_an_outage_under_the_debounce_is_shown_and_not_announced(
    page: Page, gateway: Gateway, application: App, backend: BackendProcess
) -> None:
    gateway.stop()
    gateway.start(announce_after="1m")
    await opened(page, gateway, application)
    await page.run(
        f"window.texts = [], new MutationObserver(() => texts.push({BADGE}.textContent))"
        f".observe({BADGE}, {{subtree: true, childList: true, characterData: true}})"
    )
    backend.order("kick", path="/ws/notifications", code=1012)
    await page.until(
        f"texts.some((text) => text.includes('1/2')) && {BADGE}.querySelector('button').textContent === '2/2'"
    )
    await page.run("await webSocketManager.stats()")
    assert await page.run("news.length === 0 && !texts.some((text) => /lost|restored/.test(text))")
    assert page.errors == []
    gateway.stop()
    gateway.start()


async def test_the_statistics_come_by_pointer_keyboard_and_tap_and_escape_hides_them(
    page: Page, gateway: Gateway, application: App
) -> None:
    await opened(page, gateway, application)
    tip = f"{BADGE}.querySelector('#tip')"
    await page.command("Input.dispatchMouseEvent", type="mouseMoved", x=40, y=35)
    await page.until(f"!{tip}.hidden && {tip}.textContent.includes('notificationsready')")
    await page.picture("badge")
    await page.command("Input.dispatchMouseEvent", type="mouseMoved", x=400, y=400)
    await page.until(f"{tip}.hidden")
    await page.key("Tab", 9)
    await page.until(f"!{tip}.hidden")
    await page.key("Escape", 27)
    await page.until(f"{tip}.hidden")
    await page.run(f"{BADGE}.querySelector('button').click()")
    await page.until(f"!{tip}.hidden")
    assert page.errors == []


async def test_it_watches_the_named_channels_alone_and_says_when_there_is_no_manager(
    page: Page, gateway: Gateway, application: App
) -> None:
    await opened(page, gateway, application, 'channels="calls none"', "1/1")
    gateway.stop()
    await page.until(f"{BADGE}.querySelector('button').textContent === '\u2013/\u2013'")
    assert await page.run(f"{BADGE}.querySelector('button').ariaLabel") == "No connection to the manager"
    gateway.start()
    await page.until(f"{BADGE}.querySelector('button').textContent === '1/1'")
