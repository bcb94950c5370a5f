"""The status page in a browser: the truth, live, for eyes, keyboard and small screens; remote text stays text."""

from __future__ import annotations

from urllib.parse import quote

from tests.backend.process import BackendProcess
from tests.e2e.browser.pages import ATTEMPTS, TOKEN, Gateway, Page

HOSTILE = "<img src=x onerror=window.bad=1>"


def state_of(channel: str) -> str:
    return (
        f"[...document.querySelectorAll('.row')].find((row) => row.querySelector('button').textContent === '{channel}')"
        "?.querySelector('.state').textContent"
    )


async def opened(page: Page, gateway: Gateway) -> None:
    await page.go(f"{gateway.url}/#token={quote(TOKEN, safe='')}")
    await page.until(f"{state_of('notifications')} === 'ready' && {state_of('calls')} === 'ready'")


async def test_every_channel_is_shown_live_without_an_error_and_without_the_token_in_the_address(
    page: Page, gateway: Gateway, backend: BackendProcess
) -> None:
    await page.look(width=1240, height=820)
    await opened(page, gateway)
    assert await page.run("location.href") == f"{gateway.url}/"
    assert await page.run("document.title") == "2/2 browser"
    backend.order("make_notifications", count=3)
    await page.until("document.querySelectorAll('.row .rate span')[0].textContent > '0.1'")
    await page.until("document.querySelector('#tokens').textContent.includes('expires in')")
    assert await page.run("document.querySelectorAll('#changes li').length") >= 2
    await page.picture("page")
    assert (page.errors, page.warnings) == ([], [])


async def test_an_outage_and_its_end_show_within_a_second_and_words_are_for_what_lasted(
    page: Page, gateway: Gateway, backend: BackendProcess
) -> None:
    await opened(page, gateway)
    lost = restored = 60.0
    for _ in range(ATTEMPTS):
        backend.order("deny", path="/ws/notifications")
        backend.order("kick", path="/ws/notifications", code=1012, reason=HOSTILE)
        lost = min(lost, await page.took(f"{state_of('notifications')} !== 'ready'"))
        await page.until("document.querySelector('#announcer').textContent.startsWith('lost: ')")
        await page.until("document.querySelector('#changes').textContent.includes('onerror')")
        await page.picture("page-outage")
        backend.order("allow")
        restored = min(restored, await page.took(f"{state_of('notifications')} === 'ready'"))
        await page.until("document.querySelector('#announcer').textContent.startsWith('restored: ')")
        if lost < 1.0 and restored < 1.2:
            break
    assert lost < 1.0
    assert restored < 1.2, "its wait of 0.2 s included"
    assert await page.run("window.bad === undefined && document.querySelectorAll('img').length === 0")
    assert page.errors == []


async def test_a_manager_that_is_gone_is_said_to_be_gone_and_is_found_again(page: Page, gateway: Gateway) -> None:
    await opened(page, gateway)
    gateway.stop()
    await page.until("document.querySelector('#link').textContent.startsWith('Not connected to the manager')")
    assert await page.run("document.title.startsWith('not connected')")
    assert await page.run("document.querySelector('#totals dd').textContent.length") == 1
    gateway.start()
    await page.until(f"document.querySelector('#link').hidden && {state_of('notifications')} === 'ready'")


async def test_without_the_token_it_asks_for_it(page: Page, gateway: Gateway) -> None:
    await page.go(gateway.url)
    await page.until("!document.querySelector('#ask').hidden && document.activeElement.id === 'token'")
    await page.command("Input.insertText", text=TOKEN)
    await page.run("document.querySelector('#ask').requestSubmit()")
    await page.until(f"{state_of('notifications')} === 'ready' && document.querySelector('#ask').hidden")
    await page.command("Page.reload")
    await page.until(f"{state_of('notifications')} === 'ready'")


async def test_it_fits_a_phone_in_the_dark_and_is_worked_by_keyboard(page: Page, gateway: Gateway) -> None:
    await page.look(width=360, height=740, dark=True)
    await opened(page, gateway)
    await page.run("document.querySelector('.row button').focus()")
    await page.key("Tab", 9)
    assert await page.run("document.activeElement.textContent") == "calls"
    assert await page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await page.run("document.activeElement.click()")
    assert await page.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert await page.run("document.documentElement.scrollWidth") <= 360
    assert await page.run("getComputedStyle(document.body).backgroundColor") == "rgb(14, 19, 24)"
    roles = (await page.command("Accessibility.getFullAXTree"))["nodes"]
    found = [node["role"]["value"] for node in roles if not node["ignored"]]
    assert {"table", "row", "rowheader", "columnheader", "main", "banner", "heading", "status"} <= set(found)
    await page.picture("page-phone")
