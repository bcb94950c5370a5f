"""The mock server, with real clients on real sockets."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.mock.recorded import Scene, gap, message, recorded, written
from tests.waiting import eventually
from wscli.clock import SystemClock
from wscli.mock.recording import Recording, open_records
from wscli.mock.replay import Replay, ReplayOptions, Sleep
from wscli.mock.server import MockOptions, MockServer

PATIENCE = 30.0


class Mock(NamedTuple):
    """A server, and what it said."""

    server: MockServer
    said: list[str]

    def dial(self, channel: str = "news", **options: Any) -> connect:
        return connect(self.server.urls[channel], proxy=None, **options)


@asynccontextmanager
async def mock(
    *records: dict[str, Any],
    recording: Recording | None = None,
    speed: float = math.inf,
    loop: bool = False,
    outages: bool = False,
    clock: Scene | None = None,
    sleep: Sleep = asyncio.sleep,
    **options: Any,
) -> AsyncIterator[Mock]:
    said: list[str] = []
    with recording or recorded(*records) as made:
        replay = Replay(made, ReplayOptions(speed, loop, outages), clock=clock or SystemClock(), sleep=sleep)
        async with MockServer(made, replay, MockOptions(verbose=True, **options), tell=said.append) as server:
            yield Mock(server, said)


async def receive(client: ClientConnection, count: int) -> list[str | bytes]:
    async with asyncio.timeout(PATIENCE):
        return [await client.recv() for _ in range(count)]


async def end_of(client: ClientConnection) -> int | None:
    async with asyncio.timeout(PATIENCE):
        await client.wait_closed()
    return client.close_code


async def test_text_is_text_and_binary_is_binary_and_each_client_begins_at_the_beginning() -> None:
    records = [message(0, "grüße"), message(1, b"\x00\xff"), message(2, "", channel="rooms/4 2"), message(3, b"")]
    async with mock(*records) as it:
        for _ in range(2):
            async with it.dial() as client:
                assert await receive(client, 3) == ["grüße", b"\x00\xff", b""]
        async with it.dial("rooms/4 2") as client:
            assert await receive(client, 1) == [""]


async def test_the_time_between_messages_is_the_recordings() -> None:
    scene = Scene()
    asleep: list[float] = []
    go_on = asyncio.Event()

    async def sleep(seconds: float) -> None:
        asleep.append(seconds)
        await go_on.wait()
        go_on.clear()
        scene.now += seconds

    async with (
        mock(message(0, "a"), message(3, "b"), message(8, "c"), speed=2.0, clock=scene, sleep=sleep) as it,
        it.dial() as client,
    ):
        assert await receive(client, 1) == ["a"]
        go_on.set()
        assert await receive(client, 1) == ["b"]
        go_on.set()
        assert await receive(client, 1) == ["c"]
    assert asleep == [1.5, 2.5]


async def test_after_the_last_message_it_stays_and_takes_what_is_sent() -> None:
    async with mock(message()) as it, it.dial() as client:
        assert await receive(client, 1) == ["hello"]
        for number in range(100):
            await client.send(f"{number} \x1b")
        await client.send(b"abc")
        await client.send("y" * 1000)
        await eventually(lambda: len(it.said) == 103)
        assert it.said[:2] == ["news: client 1 came", "news: client 1 sent 0 \x1b"]
        assert it.said[-2] == "news: client 1 sent a binary message of 3 bytes"
        assert it.said[-1] == f"news: client 1 sent {'y' * 400}... (1000 characters)"
        await (await client.ping())
        await client.close()
        await eventually(lambda: it.said[-1] == "news: client 1 went, with 1000")


async def test_the_option_close_ends_a_client_with_1000() -> None:
    async with mock(message(), message(), close=True) as it, it.dial() as client:
        assert [one async for one in client] == ["hello", "hello"]
        assert client.close_code == 1000


async def test_a_loop_goes_on() -> None:
    async with mock(message(0, "a"), message(0, "b"), loop=True) as it, it.dial() as client:
        assert await receive(client, 1000) == ["a", "b"] * 500


async def test_an_outage_drops_each_client_and_its_channels_next_go_on_behind_it() -> None:
    records = [message(0, "a"), message(1, "b"), gap(), message(1, "c"), message(2, "x", channel="calls")]
    both_are_there = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await both_are_there.wait()

    async with mock(*records, outages=True, speed=1.0, clock=Scene(), sleep=sleep) as it:
        async with it.dial() as first, it.dial() as second:
            both_are_there.set()
            for client in (first, second):
                assert await receive(client, 2) == ["a", "b"]
                assert await end_of(client) == 1006
        async with it.dial("calls") as client:
            assert await receive(client, 1) == ["x"]
        for _ in range(2):
            async with it.dial() as client:
                assert await receive(client, 1) == ["c"]
        async with it.dial() as client:
            assert await receive(client, 1) == ["a"]


async def test_messages_before_an_outage_all_arrive() -> None:
    records = [*(message(data="x" * 100_000) for _ in range(50)), gap()]
    async with mock(*records, outages=True) as it, it.dial() as client:
        assert len(await receive(client, 50)) == 50
        assert await end_of(client) == 1006


async def test_a_client_that_reads_nothing_delays_neither_others_nor_the_stop() -> None:
    records = [message(data="x" * 100_000) for _ in range(200)]
    async with mock(*records) as it, it.dial(max_queue=1) as stuck, it.dial() as client:
        assert len(await receive(client, 200)) == 200
        await it.server.stop()
        assert await end_of(client) == 1001
        stuck.transport.abort()


async def test_a_client_that_sends_no_request_does_not_delay_the_stop() -> None:
    async with mock(message()) as it:
        _, writer = await asyncio.open_connection("127.0.0.1", it.server.port)
        async with it.dial() as client:
            assert await receive(client, 1) == ["hello"]
        async with asyncio.timeout(8.0):  # less than the library gives a client to say something
            await it.server.stop()
        writer.close()


@pytest.mark.parametrize(
    ("path", "channels", "listed"), [("/nothing", ["news"], "/news\n"), ("/", ["news", "a/b c"], "/news\n/a/b%20c\n")]
)
async def test_an_unknown_path_is_404_with_what_there_is(path: str, channels: list[str], listed: str) -> None:
    async with mock(*(message(channel=one) for one in channels)) as it:
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"ws://127.0.0.1:{it.server.port}{path}", proxy=None)
        response = caught.value.response
        assert response.status_code == 404
        assert (response.body or b"").decode() == f"there is nothing at '{path}'\nhint: there is\n{listed}"
        assert it.said == [f"a client was refused: there is nothing at '{path}'"]


async def test_one_channel_is_at_the_root_as_well_and_at_the_gateways_path() -> None:
    async with mock(message()) as it:
        for path in ("/", "/ws/news?token=x", "/news?last=5"):
            async with connect(f"ws://127.0.0.1:{it.server.port}{path}", proxy=None) as client:
                assert await receive(client, 1) == ["hello"]


async def test_pages_from_elsewhere_may_not_connect_unless_that_is_said() -> None:
    async with mock(message(), origins=("https://app.example.com",)) as it:
        for origin in ("http://localhost:3000", "https://app.example.com"):
            async with it.dial(origin=Origin(origin)) as client:
                assert await receive(client, 1) == ["hello"]
        for origin in ("https://evil.example", "null"):
            with pytest.raises(InvalidStatus) as caught:
                await it.dial(origin=Origin(origin))
            assert caught.value.response.status_code == 403
            assert f"hint: --origin {origin} lets" in (caught.value.response.body or b"").decode()


async def test_an_offered_subprotocol_is_taken_up() -> None:
    offered = [Subprotocol("chat.v2"), Subprotocol("chat.v1")]
    async with mock(message()) as it, it.dial(subprotocols=offered) as client:
        assert client.subprotocol == "chat.v2"


async def test_a_file_that_was_changed_closes_the_client_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "f.ndjson"
    path.write_bytes(written([message(), message()]))
    recording = Recording(open_records(str(path)), "f.ndjson")
    recording.check()
    async with mock(recording=recording) as it:
        path.write_bytes(b"")
        async with it.dial() as client:
            assert await end_of(client) == 1011
        assert "f.ndjson was changed while it was replayed" in it.said


async def test_a_place_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            async with mock(message(), port=port):
                pass


async def test_it_listens_on_ipv6_as_well() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    async with mock(message(), host="::1") as it:
        assert it.server.urls["news"] == f"ws://[::1]:{it.server.port}/news"
        async with it.dial() as client:
            assert await receive(client, 1) == ["hello"]
