"""What the back end says when it behaves: notifications, consultations, calls."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from wscli.demo.options import CallTimes
from wscli.demo.server import DemoServer


def open_demo(**options: Any) -> DemoServer:
    return DemoServer(port=0, require_token=False, **{"interval": None, "calls": None, **options})


async def read(client: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(30):
        found: dict[str, Any] = json.loads(await client.recv())
        return found


async def test_notifications_are_numbered_and_the_same_to_everyone() -> None:
    async with (
        open_demo() as demo,
        connect(f"{demo.ws_url}/notifications", proxy=None) as one,
        connect(f"{demo.ws_url}/notifications", proxy=None) as two,
    ):
        assert await demo.notify(3) == {"last": 3}
        for client in (one, two):
            assert [(await read(client))["n"] for _ in range(3)] == [1, 2, 3]


async def test_notifications_arrive_by_themselves() -> None:
    async with open_demo(interval=0.01) as demo, connect(f"{demo.ws_url}/notifications", proxy=None) as client:
        first = (await read(client))["n"]
        assert [(await read(client))["n"] for _ in range(5)] == list(range(first + 1, first + 6))


async def test_what_one_member_says_the_others_get_and_the_sender_gets_a_receipt() -> None:
    async with open_demo() as demo, connect(f"{demo.ws_url}/consultations/42?name=ann", proxy=None) as ann:
        assert await read(ann) == {"type": "welcome", "consultation": "42", "you": "ann", "members": ["ann"]}
        async with (
            connect(f"{demo.ws_url}/consultations/42", proxy=None) as guest,
            connect(f"{demo.ws_url}/consultations/7", proxy=None) as elsewhere,
        ):
            assert (await read(guest))["members"] == ["ann", "guest-1"]
            assert await read(ann) == {"type": "joined", "consultation": "42", "member": "guest-1"}
            await guest.send("does it hurt?")
            said = await read(ann)
            assert (said["type"], said["from"], said["n"], said["text"]) == ("message", "guest-1", 1, "does it hurt?")
            assert await read(guest) == {"type": "sent", "consultation": "42", "n": 1}
            await ann.send(b"\x00\x01")
            assert await guest.recv() == b"\x00\x01"
            assert (await read(elsewhere))["type"] == "welcome"
            assert [message.data for message in demo.messages] == ["does it hurt?", b"\x00\x01"]
        assert await read(ann) == {"type": "left", "consultation": "42", "member": "guest-1"}


CALM = CallTimes(pause=3600, ring=3600, talk=3600)
SWIFT = CallTimes(pause=3600, ring=0.01, talk=0.01)


@pytest.mark.parametrize(
    ("scenario", "states"),
    [
        ("answered", [("ringing", None), ("answered", None), ("ended", "completed")]),
        ("missed", [("ringing", None), ("ended", "missed")]),
        ("cancelled", [("ringing", None), ("ended", "cancelled")]),
    ],
)
async def test_a_call_plays_its_scenario(scenario: str, states: list[tuple[str, str | None]]) -> None:
    async with open_demo(calls=SWIFT) as demo, connect(f"{demo.ws_url}/calls", proxy=None) as client:
        await demo.ring(scenario)
        seen = [await read(client) for _ in states]
        assert [(call["state"], call.get("reason")) for call in seen] == states
        assert {call["call"] for call in seen} == {"c1"}


async def test_a_client_answers_and_hangs_up() -> None:
    async with open_demo(calls=CALM) as demo, connect(f"{demo.ws_url}/calls", proxy=None) as client:
        await client.send('{"type": "answer"}')
        assert (await read(client))["text"] == "there is no call to answer"
        await demo.ring("missed")
        with pytest.raises(ValueError, match="busy"):
            await demo.ring()
        assert (await read(client))["state"] == "ringing"
        await client.send('{"type": "answer"}')
        assert (await read(client))["state"] == "answered"
        await client.send("nonsense")
        assert (await read(client))["type"] == "error"
        await client.send('{"type": "hang_up"}')
        ended = await read(client)
        assert (ended["state"], ended["reason"]) == ("ended", "hung up")


async def test_calls_come_by_themselves() -> None:
    async with (
        open_demo(calls=CallTimes(pause=0.01, ring=0.01, talk=0.01)) as demo,
        connect(f"{demo.ws_url}/calls", proxy=None) as client,
    ):
        ended = [call async for call in _ended(client, 3)]
        assert len({call["reason"] for call in ended}) == 3, "the scenarios take turns"


async def _ended(client: ClientConnection, count: int) -> Any:
    while count:
        call = await read(client)
        if call["state"] == "ended":
            count -= 1
            yield call
