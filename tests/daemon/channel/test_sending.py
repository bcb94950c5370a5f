"""Sending: in order, on the shared connection, with an outcome that is told."""

from __future__ import annotations

import asyncio

import pytest

from tests.daemon.scripted import REFUSED, Scripted, closed, status
from wscli.core.failures import Failure
from wscli.daemon.upstream.refs import Referring
from wscli.errors import AuthError, ChannelUnavailable, NotSent, OutcomeUnknown


async def test_a_send_goes_out_on_the_shared_connection_and_is_counted(it: Scripted) -> None:
    await it.channel.send(b"hello", binary=False, timeout=1)
    await it.channel.send(b"\x00", binary=True, timeout=1)
    assert it.server.link.sent == [(b"hello", False), (b"\x00", True)]
    assert (it.channel.counters.sent, it.channel.counters.sent_bytes) == (2, 6)


async def test_a_message_that_is_made_as_it_is_sent_has_its_reference_in_their_order(lazy: Scripted) -> None:
    channel, message = lazy.channel, Referring("{ref.int}")

    async def ask() -> None:
        await channel.send(lambda: message.fill(channel.subscription.refs)[1].encode(), binary=False, timeout=1)

    with channel.use():
        await asyncio.gather(*(ask() for _ in range(5)))
        assert lazy.server.link.sent == [(b"%d" % number, False) for number in range(1, 6)]
        lazy.server.link.end(closed(1006))
        await lazy.time.advance(60)
        await ask()
        assert lazy.server.link.sent == [(b"6", False)], "numbers go on through a reconnect"


@pytest.mark.parametrize(
    ("refusal", "timeout", "error", "words"),
    [
        (REFUSED, 0.01, NotSent, "not ready within 10ms: waiting [0-9.]+ s: connection refused"),
        (status(401), 60, AuthError, "'news' is failed: HTTP 401"),
    ],
)
async def test_a_send_without_a_connection_says_why(
    lazy: Scripted, refusal: Failure, timeout: float, error: type[Exception], words: str
) -> None:
    lazy.server.always = refusal
    send = asyncio.create_task(lazy.channel.send(b"hello", binary=False, timeout=timeout))
    await lazy.time.advance(5)
    with pytest.raises(error, match=words):
        await send


async def test_a_send_whose_deadline_passes_in_a_full_buffer_has_an_unknown_outcome(it: Scripted) -> None:
    it.server.link.clogged = True
    with pytest.raises(OutcomeUnknown, match="channel 'news': the server had not read the message in time"):
        await it.channel.send(b"hello", binary=False, timeout=0.01)
    assert it.channel.counters.sent == 0


@pytest.mark.parametrize(("hold", "state"), [("stop", "stopped"), ("pause", "paused")])
async def test_a_send_to_a_channel_that_is_held_fails_at_once(it: Scripted, hold: str, state: str) -> None:
    getattr(it.channel, hold)()
    with pytest.raises(ChannelUnavailable, match=f"'news' is {state}") as caught:
        await it.channel.send(b"hello", binary=False, timeout=60)
    assert "opens it again" in (caught.value.hint or "")


async def test_a_send_whose_connection_is_lost_before_its_turn_takes_the_next_one(lazy: Scripted) -> None:
    lazy.server.on_open = lambda link: link.end(closed(1006)) if len(lazy.server.dials) == 1 else None
    sending = asyncio.ensure_future(lazy.channel.send(b"hello", binary=False, timeout=60))
    await lazy.time.settle()
    assert not sending.done()
    await lazy.time.advance(1.01)
    await sending
    assert len(lazy.server.dials) == 2


async def test_senders_who_wait_are_served_in_the_order_of_their_coming(it: Scripted) -> None:
    it.server.link.end(closed(1006))
    words = [f"{number}".encode() for number in range(40)]
    sending = [asyncio.ensure_future(it.channel.send(word, binary=False, timeout=60)) for word in words]
    await it.time.advance(1.01)
    await asyncio.gather(*sending)
    assert [payload for payload, _ in it.server.link.sent] == words
