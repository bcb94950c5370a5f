"""Requests of several clients of one channel whose session declares ``reply``: each answer goes to its asker."""

from __future__ import annotations

import gc
import json
import weakref
from typing import Any

import pytest

from tests.daemon.scripted import channel_plan
from tests.daemon.scripted import closed as end_of
from tests.gateway.faced import Faced, closed, faced
from tests.session.declared import session
from tests.waiting import eventually
from wscli.config.clients import ClientsPlan
from wscli.core.states import ChannelState
from wscli.gateway import channels as channels_module
from wscli.gateway.clients import session as session_module
from wscli.gateway.clients import shared as shared_module

IDS_ONLY = '{reply: {id: "{sent.ref}"}}'


def sent(it: Faced) -> list[Any]:
    return [json.loads(payload) for payload, _ in it.server.link.sent]


async def asked(it: Faced, count: int) -> list[Any]:
    """Give what the server was sent, once it is so many messages."""
    await eventually(lambda: len(it.server.link.sent) >= count)
    return sent(it)


def answer(it: Faced, *messages: Any) -> None:
    it.server.link.listener.on_batch([json.dumps(one).encode() for one in messages], None)


async def received(client: Any) -> Any:
    return json.loads(await client.recv())


async def test_two_clients_with_the_same_ids_get_their_own_answers_and_both_get_events() -> None:
    async with (
        faced(channel_plan(session=session(IDS_ONLY))) as it,
        it.client() as one,
        it.client() as two,
    ):
        await one.send('{"id": 1, "method": "one"}')
        await asked(it, 1)
        await two.send('{"id": 1, "method": "two"}')
        ids = {message["method"]: message["id"] for message in await asked(it, 2)}
        assert ids["one"] != ids["two"]
        answer(it, {"event": "a"}, {"id": ids["two"], "for": "two"}, {"event": "b"}, {"id": ids["one"], "for": "one"})
        assert [await received(two) for _ in range(3)] == [{"event": "a"}, {"id": 1, "for": "two"}, {"event": "b"}]
        assert [await received(one) for _ in range(3)] == [{"event": "a"}, {"event": "b"}, {"id": 1, "for": "one"}]
        assert it.channel.history.last == 2, "an answer goes only to the client that asked"


async def test_an_answer_whose_asker_left_is_nobodys() -> None:
    async with faced(channel_plan(session=session(IDS_ONLY))) as it, it.client() as stays:
        async with it.client() as leaves:
            await leaves.send('{"id": 7}')
            await asked(it, 1)
        await eventually(lambda: it.channel.readers == 1)
        answer(it, {"id": 1}, {"event": "next"})
        assert await received(stays) == {"event": "next"}


async def test_an_asker_that_left_is_forgotten_before_its_answer_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Any]] = []

    class Noted(shared_module.SharedSession):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(weakref.ref(self))

    monkeypatch.setattr(channels_module, "SharedSession", Noted)
    async with faced(channel_plan(session=session(IDS_ONLY))) as it:
        async with it.client() as leaves:
            await leaves.send('{"id": 7}')
            await asked(it, 1)
        await eventually(lambda: it.stats["clients"] == 0)
        await eventually(lambda: gc.collect() >= 0 and [one() for one in made] == [None])


async def test_an_answer_without_an_asker_is_any_message() -> None:
    async with faced(channel_plan(session=session(IDS_ONLY))) as it, it.client() as client:
        await client.send('{"id": null, "method": "note"}')
        await asked(it, 1)
        answer(it, {"id": 41, "x": 1})
        assert await received(client) == {"id": 41, "x": 1}


async def test_a_client_of_records_gets_its_answer_as_one() -> None:
    async with faced(channel_plan(session=session(IDS_ONLY))) as it, it.client("/ws/news?json=1") as client:
        await client.send('{"id": "x"}')
        assert await asked(it, 1) == [{"id": "1"}]
        answer(it, {"event": 1}, {"id": "1"})
        event, reply = [await received(client) for _ in range(2)]
        assert (reply["seq"], reply["reply"], json.loads(reply["data"])) == (event["seq"], True, {"id": "x"})
        assert "reply" not in event


@pytest.mark.parametrize(("code", "passed_on"), [(4000, 4000), (1006, 1014)])
async def test_a_client_whose_request_is_unanswered_is_closed_with_its_upstream(code: int, passed_on: int) -> None:
    async with (
        faced(channel_plan(session=session(IDS_ONLY))) as it,
        it.client() as asker,
        it.client() as reader,
    ):
        await asker.send('{"id": 1}')
        await asked(it, 1)
        it.server.link.end(end_of(code))
        assert (await closed(asker))[0] == passed_on
        await eventually(lambda: it.channel.state is not ChannelState.READY)
        assert reader.close_code is None


async def test_a_client_that_is_not_strict_stays_without_its_answer() -> None:
    plan = channel_plan(session=session(IDS_ONLY), clients=ClientsPlan(strict=False, session=True))
    async with faced(plan) as it, it.client() as asker:
        await asker.send('{"id": 1}')
        await asked(it, 1)
        it.server.link.end(end_of(4000))
        await eventually(lambda: it.channel.state is not ChannelState.READY)
        assert asker.close_code is None


async def test_a_client_that_reads_no_replies_is_closed_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_module, "MOST_REPLY_BYTES", 1 << 20)
    monkeypatch.setattr(session_module, "STALL", 0.05)
    async with faced(channel_plan(session=session(IDS_ONLY))) as it:
        _, writer = await it.raw_client()
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a client that never reads
        message = b'{"id": 1}'
        writer.write((bytes((0x81, 0x80 | len(message), 0, 0, 0, 0)) + message) * 64)
        for one in await asked(it, 64):
            answer(it, {"id": one["id"], "data": "x" * (256 << 10)})
        await eventually(lambda: it.stats["clients"] == 0)
        writer.close()
