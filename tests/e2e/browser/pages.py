"""A headless browser driven over its DevTools, and a small web application beside a real manager with a gateway."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.server
import itertools
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.backend.process import BackendProcess
from tests.e2e.peers.programs import Chromium
from tests.processes import Manager, Wscli

__all__ = ["ARTEFACTS", "ATTEMPTS", "TOKEN", "App", "Gateway", "Page", "app", "open_page"]

ARTEFACTS = Path(__file__).parents[2] / "artefacts"
TOKEN = "a-token/for+pages"
PATIENCE = 30.0
ATTEMPTS = 5
"""What is to show within a second does so at one of these: a busy machine is late at times, a late page always."""
CONFIG = """
version: 1
name: browser
announce_after: {announce_after}
gateway:
  listen: 127.0.0.1:{port}
  auth: {{token: {token}}}
  origins: ["{origin}"]
endpoints:
  api: {{url: "ws://127.0.0.1:{demo}/ws", query: {{token: "{{token.session}}"}}, backoff: quick}}
verdicts: {{1003: stop}}
tokens:
  session:
    http: {{post: "http://127.0.0.1:{demo}/ws-token"}}
    read: {{token: .token, expires_in: .expires_in}}
backoff:
  quick: {{initial: 100ms, max: 200ms}}
channels:
  notifications: {{endpoint: api, path: /notifications}}
  calls: {{endpoint: api, path: /calls, critical: false}}
"""


class Page:
    """One page of the browser; ``errors`` collects what its console says of errors and warnings."""

    def __init__(self, link: ClientConnection) -> None:
        self._link = link
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self._task = asyncio.create_task(self._read())

    async def close(self) -> None:
        await self._link.close()
        await self._task

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):  # a page that is gone hangs up without a close frame
            async for text in self._link:
                message = json.loads(text)
                if "id" in message:
                    self._answers.pop(message["id"]).set_result(message)
                else:
                    self._hear(message["method"], message["params"])

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            text = " ".join(str(one.get("value", one.get("description"))) for one in params["args"])
            (self.warnings if params["type"] == "warning" else self.errors).append(text)
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._link.send(json.dumps({"id": number, "method": method, "params": params}))
        answer = await asyncio.wait_for(self._answers[number], PATIENCE + 5)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def run(self, script: str) -> Any:
        """Give the value of an expression; it may use ``await``."""
        expression = f"(async () => ({script}))()"
        found = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, condition: str, timeout: float = PATIENCE) -> Any:
        """Wait in the page for an expression to be true, and give its value."""
        found = await self.run(
            f"await new Promise((done, fail) => {{ const end = performance.now() + {timeout * 1000};"
            f" const look = () => {{ let seen; try {{ seen = ({condition}); }} catch {{}}"
            " if (seen) done(seen); else if (performance.now() > end) done(null); else setTimeout(look, 10); };"
            " look(); })"
        )
        if not found:
            shown = await self.run("document.body.innerText.slice(0, 2000)")
            raise AssertionError(f"not within {timeout} s: {condition}\n{self.errors}\n{self.warnings}\n{shown}")
        return found

    async def took(self, condition: str) -> float:
        """Wait in the page for an expression to be true, and give the seconds until it was."""
        began = time.monotonic()
        await self.until(condition)
        return time.monotonic() - began

    async def go(self, url: str) -> None:
        await self.command("Page.navigate", url=url)
        await self.until(f"location.href !== 'about:blank' && document.readyState === 'complete' && {json.dumps(url)}")

    async def key(self, key: str, code: int) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            await self.command("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    async def look(self, *, width: int, height: int, dark: bool = False, scale: float = 1.0) -> None:
        """Set the size of the screen, and the colours that the user prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 500}
        await self.command("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.command("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self, name: str, directory: Path = ARTEFACTS) -> Path:
        """Keep a screenshot."""
        await self.run("await new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        found = await self.command("Page.captureScreenshot", format="png")
        return await asyncio.to_thread(_keep, directory / f"{name}.png", base64.b64decode(found["data"]))


def _keep(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@asynccontextmanager
async def open_page(browser: Chromium) -> AsyncIterator[Page]:
    """Give a new, empty page in a context of its own: what one test stored is no other's."""
    async with connect(f"ws://{browser.address}{browser.path}", proxy=None, max_size=None) as link:
        root = Page(link)
        context = (await root.command("Target.createBrowserContext"))["browserContextId"]
        target = (await root.command("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        address = f"ws://{browser.address}/devtools/page/{target}"
        async with connect(address, proxy=None, max_size=None) as page_link:
            page = Page(page_link)
            for domain in ("Page", "Runtime", "Log"):
                await page.command(f"{domain}.enable")
            try:
                yield page
            finally:
                await root.command("Target.disposeBrowserContext", browserContextId=context)
                await page.close()
                await root.close()


class App(http.server.ThreadingHTTPServer):
    """A web application in development: one page, whose HTML the test writes."""

    daemon_threads = True

    def __init__(self) -> None:
        self.html = ""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.origin = f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, App)
        body = self.server.html.encode() if self.path == "/" else b""
        self.send_response(200 if body else 204)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def app() -> Iterator[App]:
    """Serve the application, in a thread."""
    server = App()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Gateway:
    """A manager on the demo back end, which can be stopped and started at the same port."""

    def __init__(self, wscli: Wscli, demo: BackendProcess, origin: str) -> None:
        self._wscli = wscli
        self._places = {"demo": demo.port, "origin": origin, "token": TOKEN}
        self.manager: Manager | None = None
        self.port = 0

    def start(self, *, announce_after: str = "400ms") -> None:
        self.manager = self._wscli.up(CONFIG.format(announce_after=announce_after, port=self.port, **self._places))
        self.manager.__enter__()
        [place] = self.manager.stats()["gateway"]["listen"]
        self.port = int(place.rpartition(":")[2])
        self.manager.wait_for("notifications", "calls")

    def restart_channel(self, name: str) -> None:
        assert self._wscli("restart", name).returncode == 0

    def channel(self, name: str) -> dict[str, Any]:
        """Give the counters of a channel."""
        assert self.manager is not None
        found: dict[str, Any] = self.manager.stats()["channels"][name]
        return found

    def until(self, name: str, **counters: int) -> None:
        """Wait until a channel has these counters."""
        assert self.manager is not None
        self.manager.until_stats(lambda stats: counters.items() <= stats["channels"][name].items())

    def stop(self) -> None:
        manager, self.manager = self.manager, None
        if manager is not None:
            manager.__exit__(None, None, None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def script(self, name: str = "manager.js") -> str:
        return f'<script src="{self.url}/{name}" data-token="{TOKEN}"></script>'
