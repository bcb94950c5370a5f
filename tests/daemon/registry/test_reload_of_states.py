"""A reload leaves no channel in a state of the old plan, except by hand, or in a wait that the server asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.scripted import REFUSED, Scripted, changed, channel_plan, closed, scripted, status, with_token
from wscli.core.backoff import BackoffPolicy
from wscli.core.failures import Failure, FailureKind
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import parse_verdicts
from wscli.daemon.channel.channel import Channel
from wscli.history.limits import HistoryLimits
from wscli.net.tls import TlsSettings
from wscli.tokens.models import TokenSource
from wscli.values import Secret

STOP_TLS = {"verdicts": (parse_verdicts({"certificate": "stop"}),)}
STOP_404 = {"verdicts": (parse_verdicts({"404": "stop"}),)}
ELSEWHERE = {"url": Secret("ws://192.0.2.2/ws")}


async def reload(it: Scripted, plan: Any = None, **changes: Any) -> dict[str, list[str]]:
    """Apply the plan of the one channel, changed, and let the server accept from now on."""
    it.server.always, it.server.refusals = None, []
    plan = plan or changed(it.manager.plan.channels["news"], **changes)
    report = it.manager.apply(replace(it.manager.plan, channels={"news": plan}))
    await it.time.settle()
    return {what: names for what, names in report.items() if names}


async def refused(it: Scripted, failure: Failure) -> Channel:
    it.server.always = failure
    it.channel.start()
    await it.time.settle()
    return it.channel


ONCE = BackoffPolicy(initial=1.0, give_up={"attempts": "1"})  # type: ignore[arg-type]  # as a file says it
SLOW = BackoffPolicy(initial=300.0, max=300.0, jitter="none")


@pytest.mark.parametrize(
    ("declared", "failure", "state", "changes"),
    [
        (STOP_404, status(404), S.FAILED, ELSEWHERE),
        (STOP_404, status(404), S.FAILED, {"verdicts": ()}),
        (STOP_TLS, Failure(FailureKind.CERTIFICATE, "refused"), S.FAILED, {"tls": TlsSettings(ca="/etc/other.pem")}),
        ({"backoff": ONCE}, REFUSED, S.FAILED, {"backoff": BackoffPolicy()}),
        ({"backoff": SLOW}, REFUSED, S.WAITING, {"backoff": BackoffPolicy()}),
        ({"verdicts": (parse_verdicts({"404": {"retry": "1h"}}),)}, status(404), S.WAITING, {"verdicts": ()}),
    ],
    ids=["url", "verdicts", "tls", "gave up", "a wait of the old backoff", "a wait of an old verdict"],
)
async def test_a_channel_that_failed_or_waits_is_dialled_again_when_what_made_it_changed(
    declared: dict[str, Any], failure: Failure, state: S, changes: dict[str, Any]
) -> None:
    async with scripted(channel_plan(eager=False, **declared)) as it:
        channel = await refused(it, failure)
        assert channel.state is state
        assert await reload(it, **changes) == {"restarted": ["news"]}
        assert channel.state is S.READY


async def test_a_channel_that_is_done_is_dialled_again_when_its_verdicts_changed() -> None:
    async with scripted(channel_plan(verdicts=(parse_verdicts({"4100": "done"}),))) as it:
        it.server.link.end(closed(4100))
        assert it.channel.state is S.DONE
        assert await reload(it, verdicts=()) == {"restarted": ["news"]}
        assert it.channel.state is S.READY


async def test_a_wait_that_the_server_asked_for_is_waited_out_unless_another_server_is_dialled() -> None:
    async with scripted(channel_plan(eager=False)) as it:
        channel = await refused(it, status(503, retry_after=60.0))
        assert await reload(it, backoff=BackoffPolicy()) == {"updated": ["news"]}
        await it.time.advance(59)
        assert channel.state is S.WAITING
        await reload(it, **ELSEWHERE)
        assert channel.state is S.READY


@pytest.mark.parametrize("through", ["itself", "another"])
async def test_a_token_that_could_not_be_had_is_asked_for_again_when_its_source_changed(through: str) -> None:
    broken = TokenSource.model_validate({"env": "UNSET_IN_TESTS"})
    working = TokenSource.model_validate({"value": "s3cret"})
    outer = TokenSource.model_validate({"value": "{token.inner}"})
    before, after = (
        {"session": source} if through == "itself" else {"session": outer, "inner": source}
        for source in (broken, working)
    )
    async with scripted(with_token(channel_plan()), tokens=before) as it:
        assert (it.channel.state, it.channel.snapshot.reason.code) == (S.WAITING, "token")
        report = it.manager.apply(replace(it.manager.plan, tokens=after))
        await it.time.settle()
        assert report["restarted"] == ["news"]
        assert it.channel.state is S.READY


async def test_a_token_source_that_changed_disturbs_neither_a_healthy_channel_nor_one_that_does_not_use_it() -> None:
    tokens = {"session": TokenSource.model_validate({"value": "one"})}
    plans = (
        with_token(channel_plan()),
        channel_plan("calls", backoff=BackoffPolicy(initial=60.0, jitter="none", max=60.0)),
    )
    async with scripted(*plans, tokens=tokens) as it:
        next(link for link in it.server.links if "calls" in link.target.url).end(closed(1006))
        other = {"session": TokenSource.model_validate({"value": "two"})}
        report = it.manager.apply(replace(it.manager.plan, tokens=other))
        await it.time.settle()
        assert report["kept"] == ["news", "calls"]
        assert len(it.server.dials) == 2
        assert it.manager.channel("calls").state is S.WAITING


async def test_a_lazy_channel_that_failed_and_is_not_in_use_is_idle_again() -> None:
    async with scripted(channel_plan(eager=False, **STOP_404)) as it:
        it.server.always = status(404)
        await it.use_once()
        await it.time.advance(1)
        assert it.channel.state is S.FAILED
        assert await reload(it, **ELSEWHERE) == {"updated": ["news"]}
        assert (it.channel.state, len(it.server.dials)) == (S.IDLE, 1)
        with it.channel.use():
            await it.time.settle()
            assert it.channel.state is S.READY


@pytest.mark.parametrize(("hold", "state"), [("stop", S.STOPPED), ("pause", S.PAUSED)])
async def test_what_was_held_by_hand_stays_so(it: Scripted, hold: str, state: S) -> None:
    getattr(it.channel, hold)()
    assert await reload(it, verdicts=(parse_verdicts({"404": "stop"}),), **ELSEWHERE) == {"updated": ["news"]}
    await it.time.advance(60)
    assert (it.channel.state, len(it.server.dials)) == (state, 1)


@pytest.mark.parametrize(("hold", "state"), [("stop", S.STOPPED), ("pause", S.PAUSED), ("start", S.READY)])
@pytest.mark.parametrize("eager", [True, False])
async def test_what_was_done_by_hand_holds_where_the_history_moves(
    tmp_path: Path, hold: str, state: S, eager: bool
) -> None:
    async with scripted(channel_plan(eager=eager), state=tmp_path) as it:
        getattr(it.channel, hold)()
        await it.time.settle()
        assert await reload(it, history=HistoryLimits(store="disk")) == {"restarted": ["news"]}
        await it.time.advance(60)
        assert it.manager.channel("news").state is state


async def test_a_channel_that_failed_stays_failed_when_only_its_history_changed() -> None:
    async with scripted(channel_plan(eager=False, **STOP_404)) as it:
        channel = await refused(it, status(404))
        assert await reload(it, linger=60.0) == {"updated": ["news"]}
        assert channel.state is S.FAILED


async def test_an_address_that_was_offline_is_not_asked_for_by_the_next_server(it: Scripted) -> None:
    it.online = False
    it.server.link.end(closed(1006))
    await it.time.advance(5)
    assert it.channel.state is S.OFFLINE
    it.routes, it.online = {"192.0.2.2"}, True
    it.server.addresses = ("192.0.2.2",)
    await reload(it, **ELSEWHERE)
    assert it.channel.state is S.READY
