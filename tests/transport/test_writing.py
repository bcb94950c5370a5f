"""What both adapters send: messages in order, pings with their times, and nothing into a connection that is gone."""

from __future__ import annotations

import asyncio

import pytest

from tests.transport.conftest import Dials, begun, over_tls_too
from tests.transport.recorder import Recorder
from tests.transport.servers import BINARY, PING, PONG, TEXT, Peer, frame, read_nothing, silent
from wscli.errors import NotSent, OutcomeUnknown

SIZES = [0, 1, 125, 126, 65535, 65536, 1_000_000]


@pytest.mark.parametrize("size", SIZES)
async def test_a_message_of_any_length_form_leaves_masked_and_whole(dial: Dials, size: int) -> None:
    payload = (b"abcdefghij" * (size // 10 + 1))[:size]

    async def script(peer: Peer) -> None:
        assert await peer.read_frame() == (TEXT, payload, True, 0)
        assert await peer.read_frame() == (BINARY, payload, True, 0)

    async with dial.upgraded(script) as (link, seen):
        await link.send(payload, binary=False)
        await link.send(payload, binary=True)
        await seen.ended()


async def test_masks_are_never_the_same_twice(dial: Dials) -> None:
    """They come from a strong source of chance (RFC 6455, section 10.3)."""
    masks: set[bytes] = set()

    async def script(peer: Peer) -> None:
        for _ in range(50):
            masks.add((await peer.reader.readexactly(8))[2:6])

    async with dial.upgraded(script) as (link, seen):
        for _ in range(50):
            await link.send(b"ab", binary=False)
        await seen.ended()
        assert len(masks) > 45


async def test_concurrent_senders_leave_in_the_order_of_their_calls(dial: Dials) -> None:
    received: list[int] = []

    async def script(peer: Peer) -> None:
        received.extend([(await peer.read_frame()).payload[0] for _ in range(20)])

    async with dial.upgraded(script) as (link, seen):
        await asyncio.gather(*(link.send(bytes([at]) * 1_000_000, binary=True) for at in range(20)))
        await seen.ended()
        assert received == list(range(20))


async def test_send_returns_when_the_kernel_has_taken_the_message(dial: Dials) -> None:
    may_read = asyncio.Event()

    async def script(peer: Peer) -> None:
        peer.pause()
        await may_read.wait()
        peer.resume()
        assert len((await peer.read_frame()).payload) == 16 << 20

    async with dial.upgraded(script) as (link, seen):
        sending = await begun(link.send(b"x" * (16 << 20), binary=True))
        assert not sending.done()
        may_read.set()
        await sending
        await seen.ended()


async def test_a_message_that_waits_its_turn_when_the_connection_dies_was_not_sent(dial: Dials) -> None:
    async with dial.upgraded(read_nothing) as (link, _):
        first = asyncio.ensure_future(link.send(b"x" * (64 << 20), binary=True))
        second = await begun(link.send(b"y", binary=True))
        link.abort()
        with pytest.raises(OutcomeUnknown):
            await first
        with pytest.raises(NotSent):
            await second


async def test_a_cancelled_sender_leaves_the_turn_to_the_next(dial: Dials) -> None:
    may_read = asyncio.Event()
    received: list[bytes] = []

    async def script(peer: Peer) -> None:
        peer.pause()
        await may_read.wait()
        peer.resume()
        received.extend([(await peer.read_frame()).payload[:1] for _ in range(2)])

    async with dial.upgraded(script) as (link, seen):
        first = asyncio.ensure_future(link.send(b"1" * (16 << 20), binary=True))
        second = asyncio.ensure_future(link.send(b"2", binary=True))
        third = await begun(link.send(b"3", binary=True))
        second.cancel()
        may_read.set()
        await asyncio.gather(first, third)
        await seen.ended()
        assert received == [b"1", b"3"]


async def test_a_message_after_the_close_was_not_sent(dial: Dials) -> None:
    async with dial.upgraded(silent) as (link, _):
        closing = await begun(link.close(deadline=0.1))
        with pytest.raises(NotSent):
            await link.send(b"x", binary=False)
        with pytest.raises(NotSent):
            await link.ping()
        await closing


async def test_a_ping_gives_the_seconds_to_its_pong(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        opcode, payload, *_ = await peer.read_frame()
        assert opcode == PING
        assert 0 < len(payload) <= 125
        await peer.send(frame(PONG, b"unasked") + frame(PONG) + frame(PONG, payload))
        await peer.gone()

    async with dial.upgraded(script) as (link, _):
        assert 0 < await link.ping() < 60


async def test_a_pong_answers_the_pings_before_it_as_well(dial: Dials) -> None:
    """A busy server may answer only the last (RFC 6455, section 5.5.3)."""

    async def script(peer: Peer) -> None:
        pings = [await peer.read_frame() for _ in range(3)]
        assert len({ping.payload for ping in pings}) == 3
        await peer.send(frame(PONG, pings[1].payload))
        await peer.gone()

    async with dial.upgraded(script) as (link, _):
        first, second, third = (asyncio.ensure_future(link.ping()) for _ in range(3))
        assert await first >= await second > 0
        assert not third.done()
        third.cancel()


async def test_a_cancelled_ping_leaves_nothing_and_disturbs_no_other(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        pings = [await peer.read_frame() for _ in range(2)]
        await peer.send(b"".join(frame(PONG, ping.payload) for ping in pings))
        await peer.gone()

    async with dial.upgraded(script) as (link, _):
        first, second = await begun(link.ping()), await begun(link.ping())
        first.cancel()
        assert await second > 0


async def test_a_ping_that_never_gets_its_pong_ends_with_the_connection(dial: Dials) -> None:
    async with dial.upgraded(silent) as (link, _):
        ping = await begun(link.ping())
        link.abort()
        with pytest.raises(NotSent, match="before the pong"):
            await ping


async def test_a_ping_does_not_wait_for_a_full_write_buffer(dial: Dials) -> None:
    """Its deadline passes in the wheel; here it only must not raise, and ``abort`` must still work."""
    async with dial.upgraded(read_nothing) as (link, seen):
        sending = await begun(link.send(b"x" * (64 << 20), binary=True))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link.ping(), 0.05)
        link.abort()
        await seen.ended()
        with pytest.raises(OutcomeUnknown):
            await sending


async def test_pongs_do_not_pile_up_for_a_server_that_reads_nothing(dial: Dials) -> None:
    """While the kernel takes no more, only the last ping is kept to be answered (RFC 6455, section 5.5.3)."""
    may_read = asyncio.Event()
    pongs: list[bytes] = []

    async def script(peer: Peer) -> None:
        peer.pause()
        await may_read.wait()
        for at in range(20_000):
            await peer.send(frame(PING, b"%d" % at))
        await peer.send(frame(TEXT, b"sent"))
        await flooded.received(1)
        peer.resume()
        assert len((await peer.read_frame()).payload) == 16 << 20
        await peer.send(frame(PING, b"end"))
        while not pongs or pongs[-1] != b"end":
            pongs.append((await peer.read_frame()).payload)

    flooded = Recorder()
    async with dial.upgraded(script, flooded) as (link, _):
        sending = await begun(link.send(b"x" * (16 << 20), binary=True))
        may_read.set()
        await sending
        await flooded.ended()
        assert pongs == [b"19999", b"end"]


@over_tls_too
async def test_pausing_stops_the_server_and_resuming_loses_nothing(dial: Dials) -> None:
    """Backpressure is real: the server's own writes come to a stand."""
    stuck = asyncio.Event()
    total = 400
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.upgrade()
        peer.writer.transport.set_write_buffer_limits(high=1, low=0)
        for at in range(total):
            try:
                async with asyncio.timeout(0.2):
                    await peer.send(frame(BINARY, at.to_bytes(4, "big") + b"x" * 99_996))
            except TimeoutError:
                stuck.set()
                await peer.writer.drain()
            sent += 1
        await peer.gone()

    class Pausing(Recorder):
        def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
            super().on_batch(payloads, kinds)
            if len(self.messages) < 10:
                link.pause_reading()

    async with dial.served(script, Pausing()) as (link, seen):
        await stuck.wait()
        assert len(seen.messages) < 20
        assert sent < total
        for _ in range(10):
            link.resume_reading()
            await seen.received(len(seen.messages) + 1)
        messages = await seen.received(total)
        assert [int.from_bytes(message[:4], "big") for message in messages] == list(range(total))


async def test_a_listener_that_fails_ends_the_connection_and_is_told(dial: Dials) -> None:
    told: list[dict[str, object]] = []

    class Failing(Recorder):
        def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
            raise LookupError("a bug")

    async def script(peer: Peer) -> None:
        await peer.upgrade(then=frame(TEXT, b"x"))
        assert await peer.read_close() == 1011

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    async with dial.served(script, Failing()) as (_, seen):
        failure = await seen.ended()
        await dial.server.scripts_done()
        assert (failure.code, failure.by) == (1011, "us")
        assert [str(context["exception"]) for context in told] == ["a bug"]
