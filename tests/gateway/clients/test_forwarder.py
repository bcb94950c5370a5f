"""What a client sends goes upstream in its order, at once where nothing waits."""

from __future__ import annotations

import asyncio

import pytest

from wscli.errors import OutcomeUnknown
from wscli.gateway.clients.forwarder import MOST_AT_ONCE, Forwarder
from wscli.gateway.clients.parser import ClientMessage
from wscli.transport.connection import WrittenAtOnce


def messages(*payloads: bytes) -> list[ClientMessage]:
    return [ClientMessage(payload, binary=False) for payload in payloads]


class Upstream:
    """Takes messages at once while ``free``, and else one after the other."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.free: WrittenAtOnce = True
        self.writable = asyncio.Event()
        self.forwarder = Forwarder(self.send, lambda: None, send_at_once=self.send_at_once)
        self.running = asyncio.ensure_future(self.forwarder.run())

    def send_at_once(self, message: ClientMessage) -> WrittenAtOnce:
        if self.free:
            self.sent.append(message.payload)
        return self.free

    async def send(self, message: ClientMessage) -> None:
        await self.writable.wait()
        self.sent.append(message.payload)

    async def end(self) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])


async def test_what_need_not_wait_is_sent_in_the_same_turn() -> None:
    it = Upstream()
    it.forwarder.add(messages(b"1", b"2"))
    assert it.sent == [b"1", b"2"]
    await it.forwarder.drained()
    await it.end()


async def test_nothing_overtakes_what_waits() -> None:
    it = Upstream()
    it.free = False
    it.forwarder.add(messages(b"1"))
    it.free = True
    it.forwarder.add(messages(b"2", b"3"))
    assert it.sent == []
    it.writable.set()
    await it.forwarder.drained()
    assert it.sent == [b"1", b"2", b"3"]
    it.forwarder.add(messages(b"4"))
    assert it.sent[-1] == b"4"
    await it.end()


async def test_a_large_message_waits_its_turn() -> None:
    it = Upstream()
    it.writable.set()
    it.forwarder.add(messages(b"x" * (MOST_AT_ONCE + 1), b"2"))
    assert it.sent == []
    await it.forwarder.drained()
    assert it.sent[1] == b"2"
    await it.end()


async def test_a_message_that_the_kernel_has_not_taken_is_waited_for() -> None:
    it, taken = Upstream(), asyncio.Event()

    async def flush() -> None:
        await taken.wait()

    it.free = flush
    it.forwarder.add(messages(b"1"))
    it.free = True
    it.forwarder.add(messages(b"2"))
    assert it.sent == [b"1"]
    it.writable.set()
    taken.set()
    await it.forwarder.drained()
    assert it.sent == [b"1", b"2"]
    await it.end()


async def test_a_message_of_unknown_outcome_ends_forwarding() -> None:
    it = Upstream()

    async def flush() -> None:
        raise OutcomeUnknown("the connection ended")

    it.free = flush
    it.forwarder.add(messages(b"1"))
    with pytest.raises(OutcomeUnknown):
        await it.running
    it.forwarder.add(messages(b"2"))
    assert it.sent == [b"1"]
    await it.forwarder.drained()
    assert it.forwarder.give_up() == 1
