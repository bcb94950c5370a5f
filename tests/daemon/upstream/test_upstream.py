"""The shell's promises: one connection, in order, with every wait and every reason as the machine decided."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from tests.daemon.scripted import REFUSED, Scripted, channel_plan, closed, scripted, status
from wscli.core.backoff import BackoffPolicy, GiveUpAfter
from wscli.core.failures import Failure, FailureKind
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import parse_verdicts
from wscli.net.tls import TlsSettings
from wscli.values import Secret

GIVES_UP = BackoffPolicy(initial=1.0, max=8.0, jitter="none", give_up=GiveUpAfter(after=10.0))


async def test_waits_grow_to_the_maximum_and_status_says_why(it: Scripted) -> None:
    it.server.always = REFUSED
    it.server.link.end(closed(1006))
    await it.time.advance(30)
    began = [at for at, _ in it.server.dials]
    assert [b - a for a, b in pairwise(began)] == [1, 2, 4, 8, 8]
    shown = it.channel.status()
    assert shown["state"] == "waiting"
    assert shown["reason"] == {"code": "tcp", "text": "connection refused by 192.0.2.1:80"}
    assert shown["next"] == {"action": "retry", "at": it.time.wall() - 30 + 31}


async def test_no_dial_before_retry_after(it: Scripted) -> None:
    it.server.refusals = [status(503, retry_after=3.0)]
    it.server.link.end(closed(1012))
    await it.time.advance(1.0 + 2.99)
    assert len(it.server.dials) == 2
    await it.time.advance(0.02)
    assert len(it.server.dials) == 3


@pytest.mark.parametrize("restarts", [1, 5])
async def test_the_old_connection_is_gone_before_the_next_dial_however_slowly_it_closes(
    it: Scripted, restarts: int
) -> None:
    for cycle in (1, 2, 3):
        it.server.link.slow_close = 60.0
        for _ in range(restarts):
            it.channel.restart()
            await it.time.settle()
        await it.time.advance(0.99)
        assert len(it.server.dials) == cycle
        await it.time.advance(0.02)
        await it.time.settle()
        assert (it.channel.state, len(it.server.dials)) == (S.READY, cycle + 1)
    assert it.server.most == 1


@pytest.mark.parametrize("opens", [False, True])
async def test_a_channel_that_is_stopped_in_mid_dial_leaves_nothing_open(lazy: Scripted, opens: bool) -> None:
    lazy.server.hold = asyncio.get_running_loop().create_future()
    lazy.server.on_open = lambda link: link.say("too late")
    lazy.channel.start()
    await lazy.time.settle()
    if opens:
        lazy.server.hold.set_result(None)
    lazy.channel.stop()
    await lazy.time.settle()
    assert (lazy.channel.state, lazy.channel.counters.connects, lazy.channel.history.last) == (S.STOPPED, 0, 0)
    assert (len(lazy.server.dials), lazy.server.links) == (1, [])


async def test_a_server_that_accepts_and_closes_at_once_is_backed_off_from(lazy: Scripted) -> None:
    lazy.server.on_open = lambda link: link.end(closed(1000))
    lazy.channel.start()
    await lazy.time.advance(30)
    began = [at for at, _ in lazy.server.dials]
    assert [b - a for a, b in pairwise(began)] == [1, 2, 4, 8, 8]
    assert lazy.channel.counters.connects == 6


async def test_messages_that_come_before_the_channel_is_ready_are_kept_in_order(lazy: Scripted) -> None:
    lazy.server.on_open = lambda link: link.say("one", "two")
    lazy.channel.start()
    await lazy.time.settle()
    lazy.server.link.say("three")
    assert lazy.channel.history.last == 3
    assert lazy.channel.counters.received == 3


async def test_a_deaf_connection_is_noticed_within_ping_plus_timeout_and_dialled_anew(it: Scripted) -> None:
    it.server.link.deaf = True
    await it.time.advance(30.01)
    assert it.channel.counters.last_close == Failure(FailureKind.KEEPALIVE, "no pong within 10s", code=1006, by="us")
    await it.time.advance(1.01)
    assert it.channel.state is S.READY
    assert it.server.most == 1


async def test_offline_dials_nothing_and_the_return_dials_at_once(it: Scripted) -> None:
    it.online = False
    it.server.link.end(closed(1006))
    await it.time.advance(3600)
    assert it.channel.state is S.OFFLINE
    assert len(it.server.dials) == 1
    it.network(online=True)
    await it.time.settle()
    assert it.channel.state is S.READY


async def test_a_host_of_two_families_is_offline_only_when_no_route_leads_to_either(lazy: Scripted) -> None:
    lazy.server.addresses = ("2001:db8::1", "192.0.2.1")
    lazy.channel.start()
    await lazy.time.settle()
    lazy.routes = {"192.0.2.1"}
    lazy.server.link.end(closed(1006))
    await lazy.time.advance(2)
    assert lazy.channel.state is S.READY
    lazy.routes = set()
    lazy.server.link.end(closed(1006))
    await lazy.time.advance(60)
    assert lazy.channel.state is S.OFFLINE


async def test_a_change_of_the_network_pings_what_is_open_and_a_dead_one_is_noticed(it: Scripted) -> None:
    it.server.link.deaf = True
    it.network(online=True)
    await it.time.settle()
    assert it.server.link.pings == 1
    await it.time.advance(10.01)
    assert it.channel.counters.connects == 1
    assert it.channel.state is S.WAITING


async def test_waking_from_sleep_probes_every_connection(it: Scripted) -> None:
    before = it.server.link.pings
    it.time.sleep(600)
    await it.time.advance(3.1)
    assert it.server.link.pings > before


async def test_a_late_end_of_an_old_link_closes_nothing(it: Scripted) -> None:
    old = it.server.link
    it.channel.restart()
    await it.time.settle()
    old.listener.on_end(closed(1006))
    old.listener.on_batch([b"late"], None)
    assert it.channel.state is S.READY
    assert it.channel.history.last == 0


async def test_a_crash_of_ours_is_stated_and_siblings_go_on(caplog: pytest.LogCaptureFixture) -> None:
    async with scripted(channel_plan("news"), channel_plan("calls")) as it:

        async def explode(*_: object, **__: object) -> None:
            raise KeyError("unforeseen")

        it.channel.subscription.upstream._services.dialer.dial = explode  # type: ignore[method-assign,assignment]
        it.channel.restart()
        await it.time.settle()
        assert it.channel.state is S.FAILED
        assert "KeyError" in it.channel.status()["reason"]["text"]
        assert it.manager.channel("calls").state is S.READY
    assert "unforeseen" in caplog.text


@pytest.mark.parametrize(
    ("location", "follows"),
    [
        ("/elsewhere?x=1", "ws://192.0.2.1/elsewhere?x=1"),
        ("ws://192.0.2.1:80/b", "ws://192.0.2.1/b"),
        ("http://192.0.2.1/c", "ws://192.0.2.1/c"),
        ("ws://192.0.2.2/ws", None),
        ("wss://192.0.2.1/ws", None),
        ("//evil.example/ws", None),
        ("http://192.0.2.1:99999/", None),
    ],
)
async def test_redirects_are_followed_within_the_origin_only(
    lazy: Scripted, location: str, follows: str | None
) -> None:
    lazy.server.refusals = [status(307, location=location)]
    lazy.channel.start()
    await lazy.time.settle()
    assert [target.url for _, target in lazy.server.dials[1:]] == ([follows] if follows else [])
    assert lazy.channel.state is (S.READY if follows else S.WAITING)


async def test_endless_redirects_end(lazy: Scripted) -> None:
    lazy.server.always = status(302, location="/again")
    lazy.channel.start()
    await lazy.time.settle()
    assert (len(lazy.server.dials), lazy.channel.state) == (6, S.WAITING)
    await lazy.time.advance(5)
    assert (len(lazy.server.dials), lazy.channel.state) == (18, S.FAILED)


async def test_giving_up_is_counted_in_time_without_health() -> None:
    async with scripted(channel_plan(backoff=GIVES_UP, eager=False)) as it:
        it.server.always = REFUSED
        it.channel.start()
        await it.time.advance(60)
        assert it.channel.state is S.FAILED
        assert [at - it.server.dials[0][0] for at, _ in it.server.dials] == [0, 1, 3, 7, 15]
        text = "gave up after 5 attempts in 15s: connection refused by 192.0.2.1:80"
        assert it.channel.status()["reason"]["text"] == text


async def test_what_arrives_between_a_stop_and_the_close_frame_is_not_the_channels_any_more(it: Scripted) -> None:
    it.channel.stop()
    it.server.link.say("late")
    it.server.link.end(closed(4000))
    assert it.channel.history.last == 0
    assert it.channel.counters.last_close == Failure(FailureKind.CLOSE, "closed by us", code=1000, by="us")


async def test_a_close_that_is_cancelled_drops_its_connection(it: Scripted) -> None:
    it.server.link.slow_close = 60.0
    it.channel.stop()
    await it.time.settle()
    await it.manager.tasks.close()
    assert it.server.links == []


async def test_a_wait_that_was_asked_for_outlasts_a_network_that_goes_and_returns(it: Scripted) -> None:
    it.server.refusals = [status(503, retry_after=60.0)]
    it.server.link.end(closed(1012))
    await it.time.advance(2)
    it.network(online=False)
    await it.time.advance(2)
    it.network(online=True)
    await it.time.advance(55)
    assert len(it.server.dials) == 2
    it.network(online=False)
    await it.time.advance(10)
    assert it.channel.state is S.OFFLINE
    it.network(online=True)
    await it.time.settle()
    assert len(it.server.dials) == 3


async def test_a_wait_that_is_asked_for_by_a_server_that_went_out_of_reach_is_waited_out() -> None:
    async with scripted(channel_plan(verdicts=(parse_verdicts({"4029": {"retry": "60s"}}),))) as it:
        it.online = False
        it.server.link.end(closed(4029))
        it.network(online=True)
        await it.time.advance(59)
        assert len(it.server.dials) == 1
        await it.time.advance(2)
        assert len(it.server.dials) == 2


@pytest.mark.parametrize("by_hand", ["start", "restart"])
async def test_what_is_started_by_hand_has_all_of_its_time_until_it_is_given_up(by_hand: str) -> None:
    async with scripted(channel_plan(backoff=GIVES_UP)) as it:
        it.server.always = REFUSED
        it.server.link.end(closed(1006))
        await it.time.advance(60)
        assert it.channel.state is S.FAILED
        getattr(it.channel, by_hand)()
        await it.time.advance(9)
        assert it.channel.state is S.WAITING
        await it.time.advance(60)
        assert it.channel.state is S.FAILED


async def test_time_without_a_network_does_not_count_towards_giving_up() -> None:
    async with scripted(channel_plan(backoff=GIVES_UP)) as it:
        it.server.always = REFUSED
        it.server.link.end(closed(1006))
        await it.time.advance(4)
        it.network(online=False)
        await it.time.advance(3600)
        it.network(online=True)
        await it.time.settle()
        assert it.channel.state is S.WAITING
        await it.time.advance(60)
        assert it.channel.state is S.FAILED


async def test_a_first_dial_that_no_route_leads_to_waits_for_the_network(lazy: Scripted) -> None:
    lazy.online, lazy.server.always = False, REFUSED
    lazy.channel.start()
    await lazy.time.settle()
    assert lazy.channel.state is S.OFFLINE


async def test_a_file_of_tls_that_cannot_be_read_is_tried_again(tmp_path: Path) -> None:
    tls = TlsSettings(ca=str(tmp_path / "ca.pem"))
    async with scripted(channel_plan(url=Secret("wss://192.0.2.1/ws"), tls=tls)) as it:
        shown = it.channel.status()
        assert (shown["state"], shown["reason"]["code"]) == ("waiting", "tls")
        assert "ca.pem" in shown["reason"]["text"]
