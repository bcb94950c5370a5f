"""How connections end: close frames either way, lost connections, deadlines; by RFC 6455, section 7."""

from __future__ import annotations

import asyncio

import pytest

from tests.daemon.passing import let_pass
from tests.transport.conftest import Dials, begun, over_tls_too
from tests.transport.servers import CLOSE, CONT, PING, TEXT, Peer, close_payload, frame, read_nothing, silent
from wscli.core.failures import FailureKind
from wscli.errors import NotSent, OutcomeUnknown
from wscli.transport.frames.base import CLOSE_TIMEOUT
from wscli.transport.frames.close_codes import peer_closed


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1011, 1013, 1014, 3000, 4401, 4999])
async def test_a_close_frame_of_the_server_is_answered_and_told(dial: Dials, code: int) -> None:
    data = frame(CLOSE, close_payload(code, b"token expired")) + frame(TEXT, b"behind it")
    failure, answer, seen = await dial.ended_by(data)
    assert failure.kind is FailureKind.CLOSE
    assert (failure.code, failure.by, failure.close_reason) == (code, "peer", "token expired")
    assert failure.text == f"closed by the server: {code} token expired"
    assert (answer, seen.messages) == (code, [])


async def test_an_empty_close_frame_is_1005(dial: Dials) -> None:
    failure, answer, _ = await dial.ended_by(frame(CLOSE))
    assert (failure.code, failure.by, failure.close_reason, answer) == (1005, "peer", "", None)


def test_a_close_without_a_reason_is_told_by_the_meaning_of_its_code() -> None:
    """Whatever words the library has for it."""
    texts = [
        *("1000 normal closure", "1001 going away", "1002 protocol error", "1003 unsupported data"),
        *("1005 no code given", "1007 invalid data", "1008 policy violation", "1009 message too big"),
        *("1010 mandatory extension", "1011 internal error", "1012 service restart", "1013 try again later"),
        *("1014 bad gateway", "4000"),
    ]
    told = [peer_closed(int(text[:4]), "").text for text in texts]
    assert told == [f"closed by the server: {text}" for text in texts]


async def test_a_reason_is_the_servers_own_text_of_up_to_123_bytes(dial: Dials) -> None:
    reason = "\x1b[31m\n" + "ä" * 58
    failure, _, _ = await dial.ended_by(frame(CLOSE, close_payload(4000, reason.encode())))
    assert failure.close_reason == reason


async def test_our_close_waits_for_the_answer_and_delivers_what_comes_before_it(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        received = await peer.read_frame()
        assert received == (CLOSE, close_payload(4002, b"bye"), True, 0)
        await peer.send(frame(TEXT, b"last words") + frame(CLOSE, received.payload))

    async with dial.upgraded(script) as (link, seen):
        await link.close(4002, "bye")
        failure = await seen.ended()
        assert (failure.code, failure.by, seen.messages) == (4002, "us", [b"last words"])


async def test_on_end_comes_before_close_returns(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(frame(CLOSE, close_payload(await peer.read_close() or 0)))

    async with dial.upgraded(script) as (link, seen):
        await asyncio.gather(link.close(), link.close(), link.close())
        assert len(seen.ends) == 1
        await link.close()
        link.abort()
        assert len(seen.ends) == 1


async def test_our_close_never_takes_longer_than_its_deadline(dial: Dials) -> None:
    async with dial.upgraded(silent) as (link, seen):
        async with asyncio.timeout(20):
            await link.close(1000, deadline=0.2)
        failure = await seen.ended()
        assert (failure.code, failure.by) == (1006, "us")
        assert failure.text == "closed by us with 1000, not answered by the server"


async def test_a_shorter_deadline_joins_a_longer_one(dial: Dials) -> None:
    async with dial.upgraded(silent) as (link, seen):
        async with asyncio.timeout(20):
            await asyncio.gather(link.close(deadline=300.0), link.close(deadline=0.1))
        assert len(seen.ends) == 1


async def test_a_cancelled_close_still_closes(dial: Dials) -> None:
    async with dial.upgraded(silent) as (link, seen):
        (await begun(link.close(deadline=0.1))).cancel()
        assert (await seen.ended()).by == "us"


@over_tls_too
@pytest.mark.parametrize("end", ["close", "abort"])
async def test_close_and_abort_end_a_full_write_buffer_and_a_server_that_reads_nothing(dial: Dials, end: str) -> None:
    async with dial.upgraded(read_nothing) as (link, seen):
        sending = await begun(link.send(b"x" * (64 << 20), binary=True))
        assert not sending.done()
        async with asyncio.timeout(20):
            if end == "close":
                await link.close(deadline=0.2)
            else:
                link.abort()
                await seen.ended()
        assert len(seen.ends) == 1
        with pytest.raises(OutcomeUnknown, match="while the message was being sent"):
            await sending


async def test_a_server_that_answers_the_close_but_stays_is_left_after_a_second(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(frame(CLOSE, close_payload(4000)))
        assert await peer.read_close() == 4000
        let_pass(CLOSE_TIMEOUT)
        await peer.gone()
        await asyncio.Event().wait()

    assert CLOSE_TIMEOUT == 1.0
    async with dial.upgraded(script) as (_, seen):
        assert (await seen.ended()).code == 4000


async def test_abort_ends_at_once_and_sends_no_close_frame(dial: Dials) -> None:
    received: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.upgrade()
        received.append(await peer.reader.read())

    async with dial.served(script) as (link, seen):
        link.abort()
        failure = await seen.ended()
        await dial.server.scripts_done()
        assert (failure.code, failure.by, failure.text) == (1006, "us", "dropped by us")
        assert received == [b""]


@over_tls_too
async def test_a_server_that_leaves_without_a_close_frame_is_1006(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.upgrade(then=frame(TEXT, b"going") + frame(TEXT, b"torn off")[:-1])
        peer.writer.transport.abort()  # without a word of TLS as well

    async with dial.served(script) as (_, seen):
        failure = await seen.ended()
        assert (failure.code, failure.by, failure.kind) == (1006, "peer", FailureKind.CLOSE)
        assert failure.text == "the server closed the connection without a close frame"
        assert seen.messages == [b"going"]


async def test_a_reset_is_1006(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.upgrade(then=frame(TEXT, b"x"))
        await peer.read_frame()
        peer.reset()

    async with dial.served(script) as (link, seen):
        await seen.received(1)
        await link.send(b"go", binary=False)
        failure = await seen.ended()
        assert (failure.code, failure.by, failure.text) == (1006, "peer", "the server reset the connection")


async def test_a_half_closed_connection_is_over_even_with_a_full_write_buffer(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        peer.pause()
        await peer.send(frame(TEXT, b"the last"))
        peer.writer.write_eof()
        await asyncio.Event().wait()

    async with dial.upgraded(script) as (link, seen):
        sending = await begun(link.send(b"x" * (64 << 20), binary=True))
        assert (await seen.ended()).code == 1006
        assert seen.messages == [b"the last"]
        with pytest.raises(OutcomeUnknown, match="while the message was being sent"):
            await sending


async def test_after_the_end_nothing_is_sent_and_all_calls_return(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.upgrade(then=frame(CLOSE, close_payload(1000)))
        await peer.read_close()

    async with dial.served(script) as (link, seen):
        await seen.ended()
        with pytest.raises(NotSent):
            await link.send(b"x", binary=False)
        with pytest.raises(NotSent):
            await link.ping()
        link.pause_reading()
        link.resume_reading()
        link.abort()
        await link.close()


async def test_both_may_close_at_the_same_time(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_frame()
        await peer.send(frame(CLOSE, close_payload(1001, b"me too")))
        with pytest.raises(asyncio.IncompleteReadError):
            await peer.read_frame()  # one close frame each (RFC 6455, section 5.5.1)

    async with dial.upgraded(script) as (link, seen):
        await link.close(1000, deadline=20.0)
        failure = await seen.ended()
        assert (failure.code, failure.by) == (1001, "us")


@over_tls_too
async def test_a_close_while_the_listener_has_paused_is_still_answered(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(frame(TEXT, b"held back" * 10_000))
        await peer.send(frame(CLOSE, close_payload(await peer.read_close() or 0)))

    async with dial.upgraded(script) as (link, seen):
        link.pause_reading()
        await asyncio.sleep(0.05)  # nothing may come, so that there is nothing to wait for
        assert seen.messages == []
        await link.close(1000)
        assert ((await seen.ended()).code, seen.messages) == (1000, [b"held back" * 10_000])


CLOSES_OF_THE_SERVER = {
    "a second close": frame(CLOSE, close_payload(1000)) + frame(CLOSE, close_payload(1001)),
    "a second close without a code": frame(CLOSE, close_payload(1000)) + frame(CLOSE),
    "a ping": frame(CLOSE, close_payload(1000)) + frame(PING, b"late"),
    "a message": frame(CLOSE, close_payload(1000)) + frame(TEXT, b"late"),
    "an invalid frame": frame(CLOSE, close_payload(1000)) + frame(0x3, b"late"),
    "a frame that is too large": frame(CLOSE, close_payload(1000)) + b"\x82\x7f\x7f" + bytes(7),
    "a second close that is invalid": frame(CLOSE, close_payload(1000)) + frame(CLOSE, close_payload(999)),
    "a continuation": frame(TEXT, b"never", fin=False) + frame(CLOSE, close_payload(1000)) + frame(CONT, b"fin"),
    "text that is no frame": frame(CLOSE, close_payload(1000)) + b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.parametrize("data", CLOSES_OF_THE_SERVER.values(), ids=CLOSES_OF_THE_SERVER)
@pytest.mark.parametrize("pieces", [1, 2], ids=["in one read", "in two"])
async def test_a_close_frame_is_answered_with_its_code_whatever_follows_it(
    dial: Dials, data: bytes, pieces: int
) -> None:
    """Autobahn 7.1.2 to 7.1.6: data behind a close frame is discarded (RFC 6455, sections 1.4 and 5.5.1)."""
    codes: list[int | None] = []

    async def script(peer: Peer) -> None:
        await peer.upgrade()
        for at in range(pieces):
            await peer.send(data[at * len(data) // pieces : (at + 1) * len(data) // pieces])
            await asyncio.sleep(0)
        codes.append(await peer.read_close())
        let_pass(CLOSE_TIMEOUT)
        assert await peer.reader.read(2) == b"", "more than one frame answers a close"

    async with dial.served(script) as (_, seen):
        failure = await seen.ended()
        await dial.server.scripts_done()
        assert (failure.code, failure.by, codes, seen.messages) == (1000, "peer", [1000], [])


async def test_a_close_inside_a_fragmented_message_ends_it_without_a_violation(dial: Dials) -> None:
    """Autobahn 7.1.5: control frames may come inside a message (RFC 6455, section 5.4)."""
    data = frame(TEXT, b"whole") + frame(TEXT, b"never fin", fin=False) + frame(CLOSE, close_payload(1001))
    failure, answer, seen = await dial.ended_by(data)
    assert (failure.code, failure.by, answer, seen.messages) == (1001, "peer", 1001, [b"whole"])


async def test_a_close_inside_a_fragmented_message_answers_ours(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(frame(TEXT, b"never fin", fin=False))
        received = await peer.read_frame()
        await peer.send(frame(CLOSE, received.payload))
        assert await peer.reader.read(2) == b"", "a close frame that answers ours was answered"

    async with dial.upgraded(script) as (link, seen):
        await link.close(4002, "bye")
        failure = await seen.ended()
        await dial.server.scripts_done()
        assert (failure.code, failure.by) == (4002, "us")


async def test_a_flood_behind_a_violation_is_thrown_away(dial: Dials) -> None:
    """The server learns of it although it never stops sending, and we are gone within the second."""

    async def script(peer: Peer) -> None:
        await peer.upgrade()
        await peer.send(frame(TEXT, b"\xff"))
        for _ in range(1000):
            await peer.send(frame(TEXT, b"x" * 1000) * 64 + frame(PING))

    async with dial.served(script) as (_, seen):
        failure = await seen.ended()
        assert (failure.code, seen.messages) == (1007, [])
