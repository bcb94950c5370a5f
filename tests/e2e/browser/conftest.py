"""One browser, manager and back end for all tests of pages; each has a page of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.backend.process import BackendProcess
from tests.e2e.browser.pages import App, Gateway, Page, app, open_page
from tests.e2e.peers.programs import Chromium
from tests.processes import Wscli


@pytest.fixture(scope="package")
def browser() -> Iterator[Chromium]:
    with Chromium() as found:
        yield found


@pytest_asyncio.fixture
async def page(browser: Chromium) -> AsyncIterator[Page]:
    async with open_page(browser) as found:
        yield found


@pytest.fixture(scope="package")
def application() -> Iterator[App]:
    with app() as found:
        yield found


@pytest.fixture(scope="package")
def backend() -> Iterator[BackendProcess]:
    with BackendProcess() as process:
        yield process


@pytest.fixture(scope="package")
def gateway(browser: Chromium, backend: BackendProcess, application: App) -> Iterator[Gateway]:
    """A running gateway; a test that changes it leaves it as it was."""
    with Wscli() as wscli:
        found = Gateway(wscli, backend, application.origin)
        found.start()
        yield found
        found.stop()
