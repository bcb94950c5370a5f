"""``token``: the broker, for other scripts."""

from __future__ import annotations

import pytest

from tests.daemon.scripted import closed
from tests.daemon.served import Served, link_of
from wscli.errors import AuthError, UsageError


async def test_each_action_asks_the_broker_and_only_get_gives_the_value_away(served: Served) -> None:
    assert await served.ask("token", {"action": "get", "name": "session"}) == {"token": "s3cret"}
    assert await served.ask("token", {"action": "refresh", "name": "session"}) == {"version": 2, "expires_in_s": 300.0}
    assert await served.ask("token", {"action": "forget", "name": "session"}) == {}
    assert "s3cret" not in str(await served.ask("token", {"action": "ls"}))
    assert await served.ask("token", {"action": "get", "name": "session"}) == {"token": "s3cret"}
    assert served.manager.broker.stats()["session"]["fetches"] == 3, "for the first get, refresh, and after forget"


@pytest.mark.parametrize(
    ("hook", "fetches"),
    [
        ({"channel": "calls", "instance": "app"}, 2),
        ({"channel": "calls", "instance": "other"}, 1),
        ({"channel": "gone", "instance": "app"}, 1),
        ({}, 1),
    ],
    ids=["a hook", "of another instance", "of a removed channel", "no hook"],
)
async def test_a_token_that_a_channels_hook_asked_for_is_dropped_by_its_reauth(
    served: Served, hook: dict[str, str], fetches: int
) -> None:
    ask = {"action": "get", "name": "session", "hook": hook}
    await served.ask("token", ask)
    link_of(served.calls).end(closed(4401))
    await served.it.time.advance(2.0)
    await served.ask("token", ask)
    assert served.manager.broker.stats()["session"]["fetches"] == fetches


async def test_a_hook_whose_channel_was_dropped_does_not_make_it_again(served: Served) -> None:
    hook = {"channel": "rooms/7", "instance": "app"}
    assert await served.ask("token", {"action": "get", "name": "session", "hook": hook}) == {"token": "s3cret"}
    assert [channel.name for channel in served.manager.channels()] == ["notifications", "calls"]


async def test_a_token_that_cannot_be_had_is_4(served: Served) -> None:
    served.token.unlink()
    with pytest.raises(AuthError, match="token 'session': "):
        await served.ask("token", {"action": "get", "name": "session"})


@pytest.mark.parametrize("action", ["get", "refresh", "forget"])
async def test_an_undeclared_token_is_refused_with_those_that_are(served: Served, action: str) -> None:
    with pytest.raises(UsageError, match="no such token 'sesion'") as caught:
        await served.ask("token", {"action": action, "name": "sesion"})
    assert caught.value.hint == "the tokens of this instance: session"
    assert served.manager.broker.stats()["session"]["fetches"] == 0


async def test_the_reason_of_a_failure_is_listed_and_logged(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    served.token.unlink()
    with pytest.raises(AuthError):
        await served.ask("token", {"action": "get", "name": "session"})
    reason = "token 'session': cannot read the file '"
    listed = (await served.ask("token", {"action": "ls"}))["tokens"]["session"]["reason"]
    counted = (await served.ask("stats"))["tokens"]["session"]["reason"]
    assert listed == counted
    assert listed.startswith(reason)
    assert listed in caplog.messages
