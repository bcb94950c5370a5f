"""A manager that goes while programs listen to it."""

from __future__ import annotations

import asyncio

import pytest

from tests.client.scene import scene
from wscli import AsyncClient, Client, Message
from wscli.errors import NoInstance, OutcomeUnknown


@pytest.mark.parametrize(("end", "word"), [("kill", "ended unexpectedly"), ("stop", "was stopped")])
async def test_a_manager_that_goes_ends_a_tail_with_no_instance_after_all_that_came(end: str, word: str) -> None:
    with scene() as made:
        client, other = Client(environ=made.environ), AsyncClient(environ=made.environ)
        with client.tail("echo") as tail:
            async with other.tail("echo") as feed:
                waiting = asyncio.ensure_future(other.request("echo", b"x", ".never"))
                await asyncio.to_thread(made.until_readers, 3)
                # what is read below blocks the loop, which has to send the request first
                await asyncio.to_thread(made.manager.until_stats, lambda it: it["channels"]["echo"]["received"] > 0)
                client.send("echo", '{"say": ["last"]}')
                assert [type(next(tail)) for _ in range(2)] == [Message, Message]
                client.stats()  # by whose answer the others have been sent it too
                await asyncio.to_thread(getattr(made.manager, end))
                with pytest.raises(NoInstance, match=word):
                    next(tail)
                assert list(tail) == []
                assert [(await anext(feed)).data for _ in range(2)] == [b"x", "last"]
                with pytest.raises(NoInstance, match=word):
                    await anext(feed)
                assert [one async for one in feed] == []
                with pytest.raises(OutcomeUnknown, match=word):  # its message went, and may have been acted on
                    await waiting
        with pytest.raises(NoInstance):
            await other.stats()


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_manager_that_goes_while_a_reply_is_awaited_leaves_the_outcome_unknown(end: str) -> None:
    with scene() as made:
        ask = made.command.start("request", "echo", '{"id": {ref.int}}', "--match", "false", "--timeout", "60s")
        send = made.command.start("send", "other", '{"id": 1}', "--wait-ack", "false", "--timeout", "60s", "--json")
        made.manager.until_stats(lambda stats: all(stats["channels"][name]["received"] for name in ("echo", "other")))
        getattr(made.manager, end)()
        assert (ask.wait(), send.wait()) == (9, 9)
        assert "error: no reply on 'echo': the manager " in ask.stderr
        assert [(one["outcome"], one["code"]) for one in send.records()] == [("sent", 9)]
