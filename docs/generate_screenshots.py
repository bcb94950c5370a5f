"""Make the pictures of the status page in docs/images: a manager on the demo back end, seen by headless Chromium."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.backend.process import BackendProcess  # noqa: E402 - the tests are not installed as a package
from tests.e2e.browser.pages import Page, open_page  # noqa: E402
from tests.e2e.peers.programs import Chromium  # noqa: E402
from tests.processes import Manager, Wscli  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SECONDS = 62
TOKEN = "for-the-pictures"  # noqa: S105 - of a manager that lives for a minute
CONFIG = """
version: 1
name: telehealth
announce_after: 2s
gateway: {{listen: "127.0.0.1:0", auth: {{token: {token}}}}}
endpoints:
  api:
    url: ws://127.0.0.1:{port}/ws
    query: {{token: "{{token.session}}"}}
    keepalive: {{ping: 1s, timeout: 1s}}
tokens:
  session:
    http: {{post: "http://127.0.0.1:{port}/ws-token"}}
    read: {{token: .token, expires_in: .expires_in}}
backoff:
  default: {{initial: 4s, max: 30s}}
channels:
  notifications: {{endpoint: api, path: /notifications}}
  consultations/{{id}}: {{endpoint: api, path: "/consultations/{{id}}"}}
  calls: {{endpoint: api, path: /calls, critical: false}}
  billing: {{endpoint: api, path: /notifications/billing, open: lazy}}
"""


async def live(wscli: Wscli, demo: BackendProcess) -> None:
    """Let a while of ordinary life go by: messages in waves, and a channel whose server refuses it."""
    for second in range(SECONDS):
        for path, count in (("/ws/notifications", 6 + second * 5 % 9), ("/ws/consultations/42", second * 7 % 5)):
            for _ in range(count):
                await asyncio.to_thread(demo.order, "say", message='{"type":"chat","text":"hello"}', path=path)
        said = '{"type":"chat","text":"hi"}\n' * (1 + second * 3 % 5)
        await asyncio.to_thread(wscli, "send", "consultations/42", "-", input=said)
        if second == SECONDS - 12:
            await asyncio.to_thread(demo.order, "deny", path="/ws/calls")
            await asyncio.to_thread(demo.order, "kick", path="/ws/calls", code=1012, reason="restarting for an update")
        await asyncio.sleep(0.4)


async def pictures(page: Page) -> None:
    """Keep the page in light, dark and on a phone."""
    for name, width, height, dark in (
        ("light", 1160, 840, False),
        ("dark", 1160, 840, True),
        ("phone", 360, 780, True),
    ):
        await page.look(width=width, height=height, dark=dark, scale=1)
        await page.until("!document.body.classList.contains('stale')")
        path = await page.picture(f"status-{name}", IMAGES)
        print(f"{path} {path.stat().st_size // 1024} KiB")  # noqa: T201 - a script for people


def _manager(wscli: Wscli, demo: BackendProcess) -> Manager:
    return wscli.up(CONFIG.format(token=TOKEN, port=demo.port))


async def main() -> None:
    """Start all of it, and look."""
    with (
        Chromium() as browser,
        BackendProcess(token_life=90) as demo,
        Wscli() as wscli,
        _manager(wscli, demo) as manager,
    ):
        manager.wait_for("notifications", "calls")
        reader = wscli.start("tail", "consultations/42")
        manager.wait_for("consultations/42")
        [place] = manager.stats()["gateway"]["listen"]
        async with open_page(browser) as page:
            await page.look(width=1160, height=840)
            await page.command("Emulation.setScrollbarsHidden", hidden=True)
            await page.go(f"http://{place}/#token={quote(TOKEN)}")
            await live(wscli, demo)
            await pictures(page)
        reader.stop()


if __name__ == "__main__":
    asyncio.run(main())
