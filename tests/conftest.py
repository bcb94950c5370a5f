"""What every test is held to: no task, no socket and no coroutine may outlive it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import signal
import sys
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

# Processes that tests start import from `tests` too. Last, so that an installed wheel is what they import as wscli.
sys.path.append(str(Path(__file__).parents[1]))

# How long an example takes says something of the machine alone. What must not take long has a limit of its own.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# A test run under nohup, or in a shell's background, would hand the signals that it ignores on to every process that
# the tests start, and hang up on or interrupt.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest_asyncio.fixture(autouse=True)
async def _no_leaked_tasks(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail a test that leaves a task behind; collect garbage, so that an unclosed socket is reported here."""
    yield
    if not inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        return
    for _ in range(3):  # tasks that were cancelled at the end of the test get their turns to end
        await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    gc.collect()
    assert not left, f"tasks outlived the test: {left}"


@pytest.fixture(autouse=True, scope="module")
def _few_objects_to_look_at() -> None:
    """Keep what earlier modules left, and all collected tests, out of each collection of garbage: it was most of it."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that take longest, which draw examples or start processes: all workers end together."""
    from tests.examples import EXAMPLES  # once sys.path is as above

    drawn = [item for item in items if getattr(getattr(item, "obj", None), "is_hypothesis_test", False)]
    long_files = {item.path for item in drawn} | {item.path for item in items if "e2e" in item.path.parts}
    items.sort(key=lambda item: item.path not in long_files)
    if EXAMPLES >= 10_000:
        for item in drawn:
            item.add_marker(pytest.mark.timeout(900))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape lone surrogates in what a test logged: pytest-xdist cannot carry them to the process that prints."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report
