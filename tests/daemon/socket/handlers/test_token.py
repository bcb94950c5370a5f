"""``token``: the broker, for other scripts."""

from __future__ import annotations

import pytest

from tests.daemon.served import Served
from wscli.errors import AuthError, UsageError


async def test_each_action_asks_the_broker_and_only_get_gives_the_value_away(served: Served) -> None:
    assert await served.ask("token", {"action": "get", "name": "session"}) == {"token": "s3cret"}
    assert await served.ask("token", {"action": "refresh", "name": "session"}) == {"version": 2, "expires_in_s": 300.0}
    assert await served.ask("token", {"action": "forget", "name": "session"}) == {}
    assert "s3cret" not in str(await served.ask("token", {"action": "ls"}))
    assert await served.ask("token", {"action": "get", "name": "session"}) == {"token": "s3cret"}
    assert served.manager.broker.stats()["session"]["fetches"] == 3, "for the first get, refresh, and after forget"


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
