"""``send`` with ``reply``: the answer has the reply that the channel's session declares, or says why not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from tests.daemon.scripted import changed
from tests.daemon.served import Served, fill, link_of
from tests.session.declared import session
from tests.waiting import eventually
from wscli.errors import NotSent, OutcomeUnknown, TimedOut, UsageError

REPLYING = session("""
outgoing: {id: "{ref.int}", body: "{msg}"}
reply: {id: "{sent.ref}", type: result}
rules: [{match: {type: result}, drop: true}]
""")


def declare(served: Served, **plan: object) -> None:
    """Give the channel ``calls`` a session."""
    of = served.manager.plan
    calls = changed(served.calls.plan, session=REPLYING, **plan)
    served.manager.apply(replace(of, channels={**of.channels, "calls": calls}))


async def ready(served: Served, **plan: object) -> None:
    declare(served, **plan)
    await served.it.time.advance(1.0)
    assert served.calls.state == "ready"


def request(served: Served, body: str, timeout: float = 5.0) -> asyncio.Task[dict[str, object]]:
    payload = json.dumps(body).encode()
    args = {"channel": "calls", "refs": True, "reply": True, "bytes": len(payload), "timeout": timeout}
    return asyncio.ensure_future(served.ask("send", args, payload))


async def sent(served: Served, count: int) -> list[dict[str, object]]:
    await eventually(lambda: len(link_of(served.calls).sent) == count)  # type: ignore[attr-defined]
    return [json.loads(payload) for payload, _ in link_of(served.calls).sent]


async def test_each_request_gets_its_own_reply_in_any_order(served: Served) -> None:
    await ready(served)
    one, other = request(served, "one"), request(served, "other")
    asked = {str(message["body"]): message["id"] for message in await sent(served, 2)}
    for body in ("other", "one"):
        fill(served.calls, json.dumps({"type": "event"}), json.dumps({"id": asked[body], "type": "result", "is": body}))
    for task, body in ((one, "one"), (other, "other")):
        reply = (await task)["reply"]
        assert isinstance(reply, dict)
        assert json.loads(reply["data"]) == {"id": asked[body], "type": "result", "is": body}
        assert reply["type"] == "text"
    assert served.calls.history.last == 2, "the session drops replies, and nothing else"


async def test_without_a_reply_in_time_it_says_so_and_waits_no_longer(served: Served) -> None:
    await ready(served)
    with pytest.raises(TimedOut, match="no reply on channel 'calls' within 100ms"):
        await request(served, "one", timeout=0.1)


async def test_a_connection_that_ends_before_the_reply_leaves_the_outcome_unknown(served: Served) -> None:
    await ready(served)
    asked = request(served, "one")
    await sent(served, 1)
    link_of(served.calls).abort()
    with pytest.raises(OutcomeUnknown, match="the connection ended before the reply"):
        await asked


async def test_a_session_that_allows_no_messages_refuses_before_anything_is_sent(served: Served) -> None:
    await ready(served)
    of = served.manager.plan
    calls = changed(served.calls.plan, session=replace(REPLYING, outgoing="none"))
    served.manager.apply(replace(of, channels={**of.channels, "calls": calls}))
    await served.it.time.advance(1.0)
    with pytest.raises(NotSent, match="outgoing: none"):
        await request(served, "one")
    assert link_of(served.calls).sent == []


async def test_a_channel_without_a_declared_reply_is_refused(served: Served) -> None:
    with pytest.raises(UsageError, match="nothing says which message is the reply"):
        await request(served, "one")
