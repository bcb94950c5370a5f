"""The registry's promises: one channel of a name, tokens shared, and a reload that disturbs only what it changes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest

from tests.daemon.scripted import Scripted, changed, channel_plan, closed, scripted, status, with_token
from wscli.core.states import ChannelState as S
from wscli.errors import NoInstance, UnknownChannel, WscliError
from wscli.history.limits import HistoryLimits
from wscli.templates import compile_template
from wscli.tokens.models import TokenSource
from wscli.values import Rate, Secret

CONSULTATIONS = channel_plan("consultations/{id}", linger=30.0)
SESSION = {"session": TokenSource.model_validate({"value": "s3cret"})}


def apply(it: Scripted, *plans: object) -> dict[str, list[str]]:
    plan = replace(it.manager.plan, channels={one.name: one for one in plans})  # type: ignore[attr-defined]  # plans
    return {what: names for what, names in it.manager.apply(plan).items() if names}


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("newz", "no channel 'newz' in instance 'app'", "did you mean 'news'?"),
        ("zzz", "no channel 'zzz' in instance 'app'", "`wscli status` lists the channels"),
        (
            "consultations/{id}",
            "no channel 'consultations/{id}' in instance 'app'",
            "'consultations/{id}' is a template; fill its placeholders, as in 'consultations/id'",
        ),
        ("consultations/..", "no channel 'consultations/..' in instance 'app'", None),
    ],
)
async def test_an_unknown_channel_is_named_with_the_way_out(name: str, message: str, hint: str | None) -> None:
    async with scripted(channel_plan(), CONSULTATIONS) as it:
        with pytest.raises(UnknownChannel) as caught:
            it.manager.channel(name)
        assert caught.value.message == message
        assert hint is None or caught.value.hint == hint


async def test_a_parameter_that_does_not_fit_the_dial_makes_no_channel() -> None:
    query = {"id": compile_template("{param.id:int}", ("param",))}
    async with scripted(channel_plan("rooms/{id}", query=query)) as it:
        with pytest.raises(UnknownChannel, match="invalid channel name 'rooms/abc'"):
            it.manager.channel("rooms/abc")
        assert it.manager.stats()["connections"]["total"] == 0
        assert it.manager.channel("rooms/42").state is S.IDLE


async def test_a_channel_whose_history_cannot_be_used_leaves_no_upstream(tmp_path: Path) -> None:
    plan = channel_plan("rooms/{id}", history=HistoryLimits(store="disk"))
    async with scripted(plan, state=tmp_path) as it:
        (tmp_path / "wscli").write_text("no directory")
        with pytest.raises(WscliError):
            it.manager.channel("rooms/42")
        assert it.manager.stats()["connections"]["total"] == 0


async def test_a_reload_whose_histories_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    rooms = channel_plan("rooms/{id}")
    async with scripted(channel_plan(), rooms, state=tmp_path) as it:
        it.manager.channel("rooms/42")
        before = it.manager.plan
        (tmp_path / "wscli").write_text("no directory")
        with pytest.raises(WscliError):
            apply(it, channel_plan("new"), changed(rooms, history=HistoryLimits(store="disk")))
        assert it.manager.plan is before
        assert [channel.name for channel in it.manager.channels()] == ["news", "rooms/42"]


@pytest.mark.parametrize("store", ["memory", "disk"])
async def test_a_reload_removes_a_channel_whose_name_does_not_fit_its_dial_any_more(
    tmp_path: Path, store: Literal["memory", "disk"]
) -> None:
    rooms = channel_plan("rooms/{id}")
    async with scripted(rooms, state=tmp_path) as it:
        it.manager.channel("rooms/abc")
        query = {"id": compile_template("{param.id:int}", ("param",))}
        numbered = changed(rooms, query=query, history=HistoryLimits(store=store))
        assert apply(it, numbered, channel_plan("new")) == {"added": ["new"], "removed": ["rooms/abc"]}
        assert [channel.name for channel in it.manager.channels()] == ["new"]


async def test_twenty_channels_that_get_4401_with_one_token_cost_one_fetch() -> None:
    plans = [with_token(channel_plan(f"c{number}")) for number in range(20)]
    async with scripted(*plans, tokens=SESSION) as it:
        assert it.manager.broker.stats()["session"]["fetches"] == 1
        assert it.server.dials[0][1].url == "ws://192.0.2.1/ws/c0?token=s3cret"
        for link in list(it.server.links):
            link.end(closed(4401))
        await it.time.advance(1)
        assert it.manager.broker.stats()["session"]["fetches"] == 2
        assert {channel.state for channel in it.manager.channels()} == {S.READY}


async def test_a_plain_outage_costs_no_token() -> None:
    async with scripted(with_token(channel_plan()), tokens=SESSION) as it:
        for _ in range(5):
            it.server.link.end(closed(1006))
            await it.time.advance(60)
        assert it.manager.broker.stats()["session"]["fetches"] == 1


async def test_a_token_that_cannot_be_had_backs_off_in_the_same_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WSCLI_NO_SUCH_VARIABLE", raising=False)
    sources = {"session": TokenSource.model_validate({"env": "WSCLI_NO_SUCH_VARIABLE"})}
    async with scripted(with_token(channel_plan()), tokens=sources) as it:
        await it.time.advance(4)
        shown = it.channel.status()
        assert (shown["state"], shown["reason"]["code"], shown["attempt"]) == ("waiting", "token", 3)
        assert it.server.dials == []
        record = it.channel.subscription.last_attempt
        assert record is not None
        assert [(step.name, step.ok, step.detail) for step in record.timeline.steps] == [
            ("token", False, shown["reason"]["text"])
        ]


async def test_the_budget_paces_the_herd_and_lets_critical_channels_go_first() -> None:
    plans = [channel_plan(f"c{n}", critical=n >= 20) for n in range(40)]
    async with scripted(*plans, rate=Rate(10, 1.0)) as it:
        await it.time.advance(10)
        times = [at for at, _ in it.server.dials]
        assert len(times) == 40
        assert all(sum(at <= other < at + 1 for other in times) <= 11 for at in times)
        first = [int(target.url.rsplit("c", 1)[1]) for _, target in it.server.dials][1:21]
        assert sum(number >= 20 for number in first) >= 19


async def test_status_shows_the_place_in_the_queue() -> None:
    plans = [channel_plan(f"c{n}") for n in range(5)]
    async with scripted(*plans, rate=Rate(1, 1.0)) as it:
        shown = it.manager.status(["c4"])[0]
        assert shown["state"] == "connecting"
        assert shown["reason"]["text"] == "place 4 in the connect budget of endpoint 'api'"


async def test_reload_keeps_updates_restarts_adds_and_removes() -> None:
    names = ("kept", "updated", "restarted", "removed")
    async with scripted(*map(channel_plan, names)) as it:
        kept, updated, restarted, _ = it.manager.plan.channels.values()
        removed = it.manager.channel("removed")
        report = apply(
            it,
            kept,
            replace(updated, history=HistoryLimits(keep=5)),
            changed(restarted, url=Secret("ws://192.0.2.1/v2")),
            channel_plan("added"),
        )
        await it.time.advance(1)
        assert report == {name: [name] for name in (*names, "added")}
        dialled = {target.url.removeprefix("ws://192.0.2.1") for _, target in it.server.dials[4:]}
        assert dialled == {"/v2/restarted", "/ws/added"}
        assert removed.unavailable() is not None
        assert len(it.server.links) == 4


async def test_another_deadline_for_dials_disturbs_no_connection_and_holds_for_the_next(it: Scripted) -> None:
    plan = it.manager.plan.channels["news"]
    assert apply(it, changed(plan, timeout=1.0)) == {"updated": ["news"]}
    await it.time.advance(5)
    assert len(it.server.dials) == 1
    it.channel.restart()
    await it.time.advance(5)
    assert it.server.dials[-1][1].timeout == 1.0


async def test_every_change_of_a_state_is_in_the_feed(it: Scripted) -> None:
    it.server.refusals = [status(503)]
    it.server.link.end(closed(1006))
    await it.time.advance(5)
    cursor, seen = it.manager.changes.seek_start().cursor, []
    while (found := it.manager.changes.read(cursor)) is not None:
        cursor = found.cursor
        seen += [json.loads(line)["state"] for line in found.item.payloads]  # type: ignore[union-attr]  # no gaps
    states = [state for state, before in zip(seen, [None, *seen], strict=False) if state != before]
    assert states == [
        "connecting", "handshaking", "ready", "waiting", "connecting", "waiting", "connecting", "handshaking",
        "ready",
    ]  # fmt: skip


async def test_the_statistics_are_one_object_with_the_same_keys_always() -> None:
    async with scripted(with_token(channel_plan()), tokens=SESSION) as it:
        stats = it.manager.stats()
        assert list(stats) == [
            "schema", "instance", "pid", "uptime_s", "connections", "channels", "tokens", "problems",
        ]  # fmt: skip
        assert stats["connections"] == {"active": 1, "total": 1, "successors": 0, "unrouted": 0}
        assert stats["tokens"]["session"]["state"] == "valid"
        assert "s3cret" not in json.dumps(stats) + json.dumps(it.manager.status())


async def test_doctor_dials_a_second_connection_and_closes_it(it: Scripted) -> None:
    record = await it.manager.dial_once(it.channel)
    assert record.failure is None
    assert (len(it.server.dials), len(it.server.links)) == (2, 1)
    it.server.refusals = [status(503)]
    assert (await it.manager.dial_once(it.channel)).failure == status(503)


async def test_addresses_of_another_server_judge_nothing(it: Scripted) -> None:
    plan = it.manager.plan.channels["news"]
    it.routes = {"192.0.2.2"}
    it.server.addresses = ("192.0.2.2",)
    apply(it, changed(plan, url=Secret("ws://192.0.2.2/ws")))
    await it.time.settle()
    assert it.channel.state is S.READY


async def test_a_channel_that_is_removed_and_added_again_waits_for_its_old_connection_to_close(it: Scripted) -> None:
    it.server.link.slow_close = 60.0
    plan = it.manager.plan.channels["news"]
    for _ in range(3):
        apply(it)
        apply(it, plan)
        await it.time.settle()
    assert (len(it.server.dials), it.server.most) == (1, 1)
    await it.time.advance(1.01)
    assert it.channel.state is S.READY
    assert (len(it.server.dials), it.server.most) == (2, 1)


async def test_a_manager_that_closes_waits_for_removed_channels_too() -> None:
    async with scripted() as it:
        link = it.server.link
        link.slow_close = 60.0
        apply(it)
        await it.time.settle()
        assert link.open
    assert link.ended == closed(1000, by="us")


async def test_what_comes_after_the_end_of_a_manager_opens_nothing() -> None:
    async with scripted(channel_plan(), CONSULTATIONS) as it:
        it.server.link.slow_close = 60.0
        closing = asyncio.ensure_future(it.manager.close())
        await it.time.settle()
        with pytest.raises(NoInstance):
            it.manager.channel("consultations/42")
        with pytest.raises(NoInstance):
            apply(it, channel_plan("added"))
        it.channel.start()
        await it.time.advance(1.01)
        await closing
        assert len(it.server.dials) == 1


async def test_a_reload_says_restarted_of_what_it_redialled_only() -> None:
    async with scripted(channel_plan("held"), channel_plan("lazy", eager=False)) as it:
        it.manager.channel("held").stop()
        plans = it.manager.plan.channels.values()
        assert apply(it, *(changed(plan, compression="none") for plan in plans)) == {"updated": ["held", "lazy"]}


async def test_doctor_that_is_cancelled_half_way_leaves_no_connection(it: Scripted) -> None:
    it.server.on_open = lambda link: setattr(link, "slow_close", 60.0)
    trying = asyncio.ensure_future(it.manager.dial_once(it.channel))
    await it.time.settle()
    assert len(it.server.links) == 2
    trying.cancel()
    await it.time.settle()
    assert len(it.server.links) == 1


async def test_tokens_that_die_in_the_queue_keep_nobody_from_dialling() -> None:
    source = TokenSource.model_validate({"value": "s3cret", "single_use": "true", "expires_in": "5s"})
    plans = [with_token(channel_plan(f"c{number}")) for number in range(20)]
    async with scripted(*plans, tokens={"session": source}, rate=Rate(1, 1.0)) as it:
        await it.time.advance(60)
        assert {channel.state for channel in it.manager.channels()} == {S.READY}
        times = [at for at, _ in it.server.dials]
        assert all(later - earlier > 0.99 for earlier, later in pairwise(times))
