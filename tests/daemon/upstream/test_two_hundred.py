"""Two hundred channels on one connection, by a declared session: a server of rooms, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from tests.daemon.scripted import Scripted, ScriptedLink, changed, closed
from tests.daemon.scripted_session import shared
from tests.session.declared import session
from wscli.config.plan import ChannelPlan
from wscli.core.states import ChannelState as S
from wscli.daemon.channel.channel import Channel
from wscli.templates import compile_json
from wscli.templates.paths import compile_path_expression

COUNT = 200
ROOMS = """
hello: [{expect: {type: welcome}}]
subscribe:
  - send: {op: sub, room: "{with.room}", id: "{ref.int}"}
    expect: [{match: {id: "{sent.ref}", ok: true}}, {match: {id: "{sent.ref}", ok: false}, then: stop}]
unsubscribe: [{send: {op: unsub, room: "{with.room}"}}]
route: {room: "{with.room}"}
timers: [{every: 10s, do: [{send: {op: beat}, expect: {type: beat}}]}]
limits: {subscribe: 50/s}
"""


class RoomServer:
    """Welcomes, takes subscriptions, and publishes to every connection that has a room."""

    def __init__(self, it: Scripted) -> None:
        self.it = it
        self.rooms: dict[ScriptedLink, list[str]] = {}
        self.subscribed: list[tuple[float, str]] = []
        self.beats = 0
        self.refuses: set[str] = set()
        it.server.on_open = self.opened
        it.server.on_message = self.heard
        self.published = 0

    def opened(self, link: ScriptedLink) -> None:
        self.rooms[link] = []
        self.answer(link, type="welcome")

    def answer(self, link: ScriptedLink, **message: object) -> None:
        asyncio.get_running_loop().call_soon(lambda: link.open and link.say(json.dumps(message)))

    def heard(self, link: ScriptedLink, payload: bytes) -> None:
        message = json.loads(payload)
        match message["op"]:
            case "sub":
                accepted = message["room"] not in self.refuses
                self.subscribed.append((self.it.time.now, message["room"]))
                if accepted:
                    assert message["room"] not in self.rooms[link], "subscribed twice"
                    self.rooms[link].append(message["room"])
                self.answer(link, id=message["id"], ok=accepted)
            case "unsub":
                self.rooms[link].remove(message["room"])
            case "beat":
                self.beats += 1
                self.answer(link, type="beat")

    def publish(self) -> None:
        """Say one thing in each room, to each connection that is in it."""
        self.published += 1
        for link, rooms in self.rooms.items():
            if link.open and rooms:
                link.say(*(json.dumps({"room": room, "n": self.published}) for room in rooms))


def plans() -> list[ChannelPlan]:
    compiled = session(ROOMS)
    return [
        shared(
            f"room{number}",
            session=compiled,
            values=compile_json({"room": f"room{number}"}, ()),
            dedupe=compile_path_expression(".n"),
        )
        for number in range(COUNT)
    ]


@asynccontextmanager
async def rooms() -> AsyncIterator[tuple[Scripted, RoomServer, list[Channel]]]:
    """All of them ready."""
    it = Scripted(*plans())
    server = RoomServer(it)
    it.manager.open()
    await it.time.settle()
    await it.time.advance(5)
    channels = it.manager.channels()
    assert {one.state for one in channels} == {S.READY}
    yield it, server, channels
    await it.close()


async def test_they_have_one_connection_and_one_heartbeat_and_each_gets_its_own_messages() -> None:
    async with rooms() as (it, server, channels):
        assert (len(it.server.dials), it.manager.stats()["connections"]["total"]) == (1, 1)
        server.publish()
        await it.time.settle()
        assert {one.history.last for one in channels} == {1}
        server.beats = 0
        await it.time.advance(30)
        assert server.beats == 3


async def test_one_that_is_refused_fails_alone() -> None:
    async with rooms() as (it, server, channels):
        server.refuses.add("room7")
        channels[7].resubscribe()
        await it.time.advance(1)
        assert [one.name for one in channels if one.state is S.FAILED] == ["room7"]
        assert {one.state for one in channels if one.name != "room7"} == {S.READY}
        assert len(it.server.dials) == 1


async def test_the_servers_end_brings_all_back_at_the_declared_rate() -> None:
    async with rooms() as (it, server, channels):
        server.subscribed.clear()
        it.server.link.end(closed(1006))
        assert {one.state for one in channels} == {S.WAITING}
        await it.time.advance(1.1)
        states = [one.state for one in channels]
        assert S.HANDSHAKING in states
        await it.time.advance(5)
        assert {one.state for one in channels} == {S.READY}
        assert (len(server.subscribed), len(it.server.dials)) == (COUNT, 2)
        times = [at for at, _ in server.subscribed]
        assert all(later - sooner >= 0.999 for sooner, later in zip(times, times[51:], strict=False)), "50 a second"
        assert {str(one.counters.gaps) for one in channels} == {"{'outage': 1}"}


async def test_a_reload_that_changes_the_session_while_messages_flow_brings_all_back_once() -> None:
    async with rooms() as (it, server, channels):
        other = session(ROOMS.replace("every: 10s", "every: 5s"))
        reloaded = {name: changed(plan, session=other) for name, plan in it.manager.plan.channels.items()}
        server.publish()
        it.manager.apply(replace(it.manager.plan, channels=reloaded))
        for _ in range(50):
            server.publish()
            await it.time.advance(0.1)
        assert {one.state for one in channels} == {S.READY}
        assert (len(it.server.dials), len(server.rooms[it.server.link])) == (2, COUNT)
        server.beats = 0
        await it.time.advance(10)
        assert server.beats == 2


async def test_a_rotation_moves_all_while_messages_flow_and_loses_or_doubles_none() -> None:
    async with rooms() as (it, server, channels):
        old = it.server.link
        channels[0].rotate()
        for _ in range(60):
            server.publish()
            await it.time.advance(0.1)
        assert (old.open, len(it.server.links), len(it.server.dials)) == (False, 1, 2)
        server.publish()
        await it.time.settle()
        assert {one.history.last for one in channels} == {server.published}
        assert {(one.state, one.stats()["rotations"], str(one.counters.gaps)) for one in channels} == {
            (S.READY, 1, "{}")
        }
        assert sorted(server.rooms[it.server.link]) == sorted(one.name for one in channels)
