"""The demo back end: tokens, notifications, consultations and calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from wscli.demo.calls import CallTimes
from wscli.demo.server import DemoServer
from wscli.demo.tokens import TokenDesk

HOUR = 3600.0


@pytest_asyncio.fixture
async def demo() -> AsyncIterator[DemoServer]:
    async with DemoServer(port=0, interval=None, calls=None) as server:
        yield server


async def dial(demo: DemoServer, path: str, **options: Any) -> ClientConnection:
    async with aiohttp.ClientSession() as session, session.post(f"{demo.url}/ws-token") as answer:
        token = (await answer.json())["token"]
    mark = "&" if "?" in path else "?"
    return await connect(f"{demo.ws_url}{path}{mark}token={token}", proxy=None, **options)


async def read(client: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(30):
        found: dict[str, Any] = json.loads(await client.recv())
        return found


@pytest.mark.parametrize("query", ["", "?token=", "?token=guessed"])
async def test_an_upgrade_without_a_valid_token_is_answered_with_401(demo: DemoServer, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{demo.ws_url}/notifications{query}", proxy=None)
    assert refused.value.response.status_code == 401


async def test_a_token_is_accepted_as_a_bearer(demo: DemoServer) -> None:
    bearer = {"Authorization": f"Bearer {demo.tokens.issue()['token']}"}
    async with connect(f"{demo.ws_url}/calls", additional_headers=bearer, proxy=None):
        assert len(demo.clients) == 1


def test_a_token_expires_after_its_life_and_is_unknown_once_revoked() -> None:
    now = 1000.0
    desk = TokenDesk(30.0, lambda: now)
    old = str(desk.issue()["token"])
    now += 29.9
    assert desk.refusal(old) is None
    now += 0.1
    assert desk.refusal(old) == "this token has expired"
    new = str(desk.issue()["token"])
    desk.revoke_all()
    assert desk.refusal(new) == "this token is unknown or revoked"


async def test_notifications_are_numbered_the_same_for_every_client(demo: DemoServer) -> None:
    async with await dial(demo, "/notifications") as one, await dial(demo, "/notifications") as two:
        for _ in range(3):
            demo.notify()
        for client in (one, two):
            assert [(await read(client))["n"] for _ in range(3)] == [1, 2, 3]


async def test_missed_notifications_are_given_a_page_at_a_time(demo: DemoServer) -> None:
    for _ in range(150):
        demo.notify()
    headers = {"Authorization": f"Bearer {demo.tokens.issue()['token']}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for after, numbers in ((0, range(1, 101)), (100, range(101, 151)), (150, range(0))):
            async with session.get(f"{demo.url}/notifications", params={"after": after}) as answer:
                assert [item["n"] for item in (await answer.json())["items"]] == list(numbers)
        async with session.get(f"{demo.url}/notifications?after=x") as answer:
            assert answer.status == 400
    async with aiohttp.ClientSession() as session, session.get(f"{demo.url}/notifications") as answer:
        assert answer.status == 401


async def test_notifications_and_calls_are_made_at_their_intervals() -> None:
    async with DemoServer(port=0, interval=0.01, calls=CallTimes(pause=0.01, ring=0.01, talk=0.01)) as demo:
        async with await dial(demo, "/notifications") as client:
            first = (await read(client))["n"]
            assert [(await read(client))["n"] for _ in range(5)] == list(range(first + 1, first + 6))
        async with await dial(demo, "/calls") as client:
            reasons: set[str] = set()
            while len(reasons) < 3:
                call = await read(client)
                if call["state"] == "ended":
                    reasons.add(call["reason"])
        assert reasons == {"completed", "missed", "cancelled"}


async def test_a_message_reaches_the_other_members_and_its_sender_gets_a_receipt(demo: DemoServer) -> None:
    async with await dial(demo, "/consultations/42?name=ann") as ann:
        assert await read(ann) == {"type": "welcome", "consultation": "42", "you": "ann", "members": ["ann"]}
        async with await dial(demo, "/consultations/42") as guest, await dial(demo, "/consultations/7") as elsewhere:
            assert (await read(guest))["members"] == ["ann", "guest-1"]
            assert await read(ann) == {"type": "joined", "consultation": "42", "member": "guest-1"}
            await guest.send("does it hurt?")
            said = await read(ann)
            assert (said["type"], said["from"], said["n"], said["text"]) == ("message", "guest-1", 1, "does it hurt?")
            assert await read(guest) == {"type": "sent", "consultation": "42", "n": 1}
            await ann.send(b"\x00\x01")
            assert await guest.recv() == b"\x00\x01"
            assert (await read(elsewhere))["type"] == "welcome"
        assert await read(ann) == {"type": "left", "consultation": "42", "member": "guest-1"}
    async with await dial(demo, "/consultations/42") as again:
        assert (await read(again))["members"] == ["guest-1"], "a consultation ends with its last member"


async def test_a_client_answers_a_call_and_hangs_up() -> None:
    async with (
        DemoServer(port=0, interval=None, calls=CallTimes(pause=0.05, ring=HOUR, talk=HOUR)) as demo,
        await dial(demo, "/calls") as client,
    ):
        assert (await read(client))["state"] == "ringing"
        for message, expected in (
            ("nonsense", {"type": "error", "text": 'send {"type": "answer"} or {"type": "hang_up"}'}),
            ('{"type": "answer"}', {"state": "answered"}),
            ('{"type": "answer"}', {"type": "error", "text": "there is no call to answer"}),
            ('{"type": "hang_up"}', {"state": "ended", "reason": "hung up"}),
        ):
            await client.send(message)
            assert expected.items() <= (await read(client)).items()


@pytest.mark.parametrize("code", [1000, 4123])
async def test_a_client_that_closes_gets_its_code_back(demo: DemoServer, code: int) -> None:
    async with await dial(demo, "/notifications") as client:
        await client.close(code)
        assert client.close_code == code


async def test_a_stop_closes_every_client_with_1001() -> None:
    async with DemoServer(port=0, interval=None, calls=None) as demo:
        clients = [await dial(demo, "/notifications") for _ in range(3)]
    for client in clients:
        await client.wait_closed()
        assert client.close_code == 1001


async def test_a_message_over_4_mib_closes_its_client_with_1009(demo: DemoServer) -> None:
    async with await dial(demo, "/notifications") as client:
        await client.send("x" * (5 << 20))
        await client.wait_closed()
        assert client.close_code == 1009


async def test_a_client_that_does_not_read_delays_no_other_and_is_dropped(demo: DemoServer) -> None:
    async with await dial(demo, "/notifications", compression=None, close_timeout=0.05) as stuck:
        stuck.transport.pause_reading()
        (dropped,) = demo.clients
        async with await dial(demo, "/notifications", compression=None) as other:
            # beyond the kernel's buffers, then beyond the queue
            for text, count in (("x" * 65536, 300), ("x", 11_000)):
                for _ in range(0, count, 100):
                    for _ in range(100):
                        demo.push("/ws/notifications", text)
                    for _ in range(100):
                        assert await other.recv() == text
            await asyncio.wait_for(dropped.ended.wait(), 30)
            assert len(demo.clients) == 1
