"""What ends clients with an upstream of their own: a person, a reload; and what is shown of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.daemon.scripted import REFUSED, changed
from tests.gateway.faced import Faced, closed, faced, own_plan
from tests.waiting import eventually
from wscli.config.clients import ClientsPlan
from wscli.config.plan import ChannelPlan

# by hand


@pytest.mark.parametrize(("verb", "code"), [("stop", 1001), ("pause", 1013)])
async def test_a_channel_that_is_closed_by_hand_closes_its_clients_and_takes_no_other(
    own: Faced, verb: str, code: int
) -> None:
    client = await own.client()
    getattr(own.channel, verb)()
    assert (await closed(client))[0] == code
    answer = await own.refused()
    assert answer.status_code == 503
    assert b"by hand" in answer.body
    own.channel.start() if verb == "stop" else own.channel.resume()
    async with own.client():
        assert own.channel.state == "idle"
        assert len(own.server.links) == 1


async def test_a_restart_closes_the_clients_which_may_come_back_at_once(own: Faced) -> None:
    client = await own.client()
    own.channel.restart()
    assert await closed(client) == (1012, "channel 'news' was restarted by hand")
    async with own.client():
        assert own.channel.state == "idle"


async def test_a_channel_that_is_stopped_ends_a_dial_under_way(own: Faced) -> None:
    own.server.hold = asyncio.get_running_loop().create_future()
    refused = asyncio.ensure_future(own.refused())
    await eventually(lambda: own.server.dials)
    own.channel.stop()
    assert b"channel 'news' is stopped" in (await refused).body
    own.server.hold.set_result(None)
    await own.it.time.settle()
    assert own.server.links == []


async def test_the_manager_waits_for_the_close_frames_as_it_stops(own: Faced) -> None:
    client = await own.client()
    link = own.server.link
    link.slow_close = 0.5
    closing = asyncio.ensure_future(own.manager.close())
    await eventually(lambda: link.closed_with)
    assert await closed(client) == (1001, "the manager was stopped")
    assert link.open
    while not closing.done():
        await own.it.time.advance(0.1)
    assert link.ended is not None
    assert (link.closed_with, link.ended.code) == ((1001, ""), 1001)


# a reload


def reload(it: Faced, *plans: ChannelPlan) -> None:
    it.manager.apply(replace(it.manager.plan, channels={plan.name: plan for plan in plans}))


async def test_a_reload_that_changes_the_dial_closes_the_clients() -> None:
    async with faced(own_plan(), own_plan("calls")) as it, it.client("/ws/calls") as other:
        client = await it.client()
        reload(it, changed(it.channel.plan, compression="none"), it.manager.channel("calls").plan)
        assert await closed(client) == (1012, "the configuration changed")
        it.server.link.say("still here")
        assert await other.recv() == "still here"


async def test_a_reload_that_removes_the_channel_closes_the_clients() -> None:
    async with faced(own_plan(), own_plan("calls")) as it:
        client = await it.client()
        reload(it, it.manager.channel("calls").plan)
        assert await closed(client) == (1001, "channel 'news' was removed from the configuration")


async def test_a_reload_that_changes_neither_leaves_the_clients(own: Faced) -> None:
    async with own.client() as client:
        reload(own, changed(own.channel.plan, critical=False, timeout=3.0))
        own.server.link.say("still here")
        assert await client.recv() == "still here"


async def test_clients_end_where_a_reload_has_them_share_an_upstream(own: Faced) -> None:
    client = await own.client()
    reload(own, replace(own.channel.plan, clients=ClientsPlan(declared="shared")))
    assert await closed(client) == (1012, "the configuration changed")


# what is shown


async def test_status_counts_the_clients(own: Faced) -> None:
    assert own.channel.status()["clients"] == {"upstream": "own", "own": 0}
    assert own.channel.status()["reason"]["text"] == "not used yet; each client gets an upstream of its own"
    async with own.client(), own.client():
        assert own.channel.status()["clients"] == {"upstream": "own", "own": 2}
        assert "2 clients have upstreams of their own" in own.channel.status()["reason"]["text"]
        own.channel.pause()
        assert own.channel.status()["reason"]["text"] == "paused by hand"


async def test_doctor_has_the_last_dial_for_a_client(own: Faced) -> None:
    own.server.refusals.append(REFUSED)
    await own.refused()
    record = own.channel.own.last_attempt
    assert record is not None
    assert record.failure == REFUSED
    async with own.client():
        record = own.channel.own.last_attempt
        assert record is not None
        assert record.failure is None


async def test_the_first_failed_dial_in_a_row_is_logged(own: Faced, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "wscli.upstream")
    own.server.refusals += [REFUSED, REFUSED]
    await own.refused()
    await own.refused()
    opening = asyncio.ensure_future(own.client().__aenter__())
    while not opening.done():  # it waits its turn
        await own.it.time.advance(0.1)
        await asyncio.sleep(0.001)
    await (await opening).close()
    assert [record.getMessage() for record in caplog.records] == [
        "news: a client's own upstream: not connected: connection refused by 192.0.2.1:80",
        "news: a client's own upstream: the server is dialled without a wait again",
    ]


async def test_a_channel_of_a_template_is_kept_while_a_client_has_an_upstream() -> None:
    async with faced(own_plan("rooms/{id}")) as it:
        async with it.client("/ws/rooms/1"):
            await it.it.time.advance(1300.0)
            assert [channel.name for channel in it.manager.channels()] == ["rooms/1"]
        await eventually(lambda: not it.manager.channel("rooms/1").in_use)
        await it.it.time.advance(700.0)
        assert it.manager.channels() == []
