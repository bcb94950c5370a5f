"""Offline is judged anew: a name that leads elsewhere by now is noticed, by whatever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.daemon.scripted import Scripted, channel_plan, closed, scripted
from tests.waiting import eventually
from wscli.core.states import ChannelState as S
from wscli.daemon.upstream.dial.destination import LOOK_AGAIN, Lookups
from wscli.tasks import Tasks


@pytest_asyncio.fixture
async def stale(it: Scripted) -> AsyncIterator[Scripted]:
    """A manager whose server has moved: no route leads to the address that was dialled, as the name still has it."""
    it.routes = {"198.51.100.7"}
    it.server.link.end(closed(1006))
    await it.time.advance(3)
    assert (it.channel.state, len(it.server.dials)) == (S.OFFLINE, 1)
    yield it


async def test_the_name_is_resolved_again_after_the_first_wait(it: Scripted) -> None:
    it.routes, it.server.addresses = {"198.51.100.7"}, ("198.51.100.7",)
    it.server.link.end(closed(1006))
    await it.time.advance(0.99)
    assert it.channel.state is S.OFFLINE
    await it.time.advance(0.02)
    assert it.channel.state is S.READY


async def test_the_name_is_resolved_again_now_and_then(stale: Scripted) -> None:
    await stale.time.advance(3 * LOOK_AGAIN)
    stale.server.addresses = ("198.51.100.7",)
    assert stale.server.lookups == 4
    await stale.time.advance(LOOK_AGAIN)
    assert stale.channel.state is S.READY


async def test_a_route_that_no_event_told_of_is_found(stale: Scripted) -> None:
    stale.routes = None
    await stale.time.advance(LOOK_AGAIN)
    assert stale.channel.state is S.READY


@pytest.mark.parametrize("what", ["network", "use", "start", "restart"])
async def test_the_name_is_resolved_again_at_each_event_of_the_network_and_each_command(
    stale: Scripted, what: str
) -> None:
    stale.server.addresses = ("198.51.100.7",)
    if what == "network":
        stale.manager.network_changed()
    elif what == "use":
        await stale.use_once()
    else:
        getattr(stale.channel, what)()
    await stale.time.settle()
    assert stale.channel.state is S.READY


async def test_a_name_that_leads_nowhere_keeps_its_addresses(stale: Scripted) -> None:
    stale.server.addresses = ()
    await stale.time.advance(LOOK_AGAIN)
    assert (stale.channel.state, stale.server.lookups) == (S.OFFLINE, 2)
    assert stale.manager.addresses() == {"192.0.2.1"}


async def test_a_lookup_that_is_answered_too_late_changes_nothing(stale: Scripted) -> None:
    stale.server.addresses = ("198.51.100.7",)
    stale.manager.network_changed()
    stale.channel.stop()
    await stale.time.settle()
    assert (stale.channel.state, len(stale.server.dials)) == (S.STOPPED, 1)


async def test_the_next_use_of_a_lazy_channel_is_not_judged_by_an_old_address() -> None:
    async with scripted(channel_plan(eager=False)) as it:
        await it.use_once()
        await it.time.advance(1)
        it.routes, it.server.addresses = {"198.51.100.7"}, ("198.51.100.7",)
        with it.channel.use():
            await it.time.settle()
            assert it.channel.state is S.READY


async def test_one_lookup_of_a_name_answers_all_who_ask() -> None:
    asked, answer, tasks = [], asyncio.Event(), Tasks()

    async def resolve(host: str) -> tuple[str, ...]:
        asked.append(host)
        await answer.wait()
        return (f"of {host}",)

    lookups, found = Lookups(resolve, tasks), []
    for host in ("a", "a", "b"):
        lookups.ask(host, found.append)
    await asyncio.sleep(0)
    answer.set()
    await eventually(lambda: len(found) == 3)
    assert (asked, found) == (["a", "b"], [("of a",), ("of a",), ("of b",)])
    lookups.ask("a", found.append)
    await eventually(lambda: len(found) == 4)
    assert asked == ["a", "b", "a"]
    await tasks.close()
