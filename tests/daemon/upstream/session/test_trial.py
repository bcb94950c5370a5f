"""``doctor --dial``: a second connection logs in and subscribes, says how far it got, and closes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.daemon.scripted import ScriptedLink, channel_plan, scripted
from tests.session.declared import session
from wscli.core.failures import FailureKind
from wscli.tokens.models import TokenSource

LOGIN = session("""
before: [{set: {who: me}}]
hello:
  - send: {type: auth, token: "{token.api}", who: "{var.who}"}
    expect: [{match: {type: ok}}, {match: {type: refused}, then: stop}]
    within: 5s
""")


def answer(link: ScriptedLink, text: str) -> None:
    asyncio.get_running_loop().call_soon(link.say, text)


async def test_the_steps_are_shown_without_secrets_and_the_connection_is_closed(tmp_path: Path) -> None:
    tmp_path.joinpath("token").write_text("s3cret-token")
    source = TokenSource.model_validate({"file": str(tmp_path / "token")})
    async with scripted(channel_plan(eager=False), tokens={"api": source}) as it:
        upstream = it.channel.subscription.upstream
        upstream.plan = channel_plan(session=LOGIN).upstream
        it.server.on_open = lambda link: answer(link, '{"type":"ok","echo":"s3cret-token"}')
        record = await it.manager.dial_once(it.channel)
        assert record.failure is None
        assert [(step.place, step.ok) for _, step in record.shown_session("news")][-1] == ("hello[0]", True)
        assert "s3cret" not in str(record.shown_session("news"))
        assert it.server.links == []
        assert record.tokens.keys() == {"api"}

        it.server.on_open = lambda link: answer(link, '{"type":"refused"}')
        record = await it.manager.dial_once(it.channel)
        assert record.failure is not None
        assert (record.failure.kind, record.failure.moment) == (FailureKind.SESSION, "hello")
        assert [(step.place, step.ok) for _, step in record.shown_session("news")][-1] == ("hello[0]", False)

        it.server.on_open = lambda link: None
        dialling = asyncio.ensure_future(it.manager.dial_once(it.channel))
        await it.time.advance(6.0)
        failure = (await dialling).failure
        assert failure is not None
        assert "within 5s" in failure.text


async def test_the_channel_is_subscribed_as_well_and_its_refusal_is_told() -> None:
    async with scripted(channel_plan(eager=False)) as it:
        plan = channel_plan(session=session("subscribe: [{send: {type: sub}, expect: {type: done}, within: 5s}]"))
        it.channel.subscription.upstream.plan = it.channel.subscription.member.plan = plan.upstream
        it.server.on_open = lambda link: answer(link, '{"type":"done"}')
        record = await it.manager.dial_once(it.channel)
        assert record.failure is None
        assert [(step.place, step.ok) for _, step in record.shown_session("news")] == [("subscribe[0]", True)]
        assert it.server.links == []

        it.server.on_open = lambda link: None
        dialling = asyncio.ensure_future(it.manager.dial_once(it.channel))
        await it.time.advance(6.0)
        record = await dialling
        assert record.failure is not None
        assert record.failure.moment == "subscribe"
        assert [(step.place, step.ok) for _, step in record.shown_session("news")] == [("subscribe[0]", False)]
        assert record.shown_session("other") == []
