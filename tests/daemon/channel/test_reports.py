"""What a channel says of itself as time passes."""

from __future__ import annotations

from tests.daemon.scripted import REFUSED, Scripted, closed
from wscli.core.states import ChannelState as S


async def test_the_attempt_is_0_once_the_connection_is_healthy_and_counts_from_there(it: Scripted) -> None:
    it.server.refusals = [REFUSED] * 2
    it.server.link.end(closed(1006))
    await it.time.advance(1 + 2 + 4)
    assert (it.channel.state, it.channel.status()["attempt"]) == (S.READY, 4)
    await it.time.advance(9.9)
    assert it.channel.status()["attempt"] == 4
    await it.time.advance(0.1)
    assert it.channel.status()["attempt"] == 0
    it.server.refusals = [REFUSED]
    it.server.link.end(closed(1006))
    await it.time.advance(1.01)
    assert (it.channel.state, it.channel.status()["attempt"]) == (S.WAITING, 1)


async def test_the_time_of_the_last_message_is_told_by_status_and_stats(it: Scripted) -> None:
    it.server.link.say("hello")
    at = it.time.wall()
    await it.time.advance(5)
    assert it.channel.status()["last_message_at"] == it.channel.stats()["last_message_at"] == at
