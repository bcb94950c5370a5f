"""``POST /channels/NAME``: sends, queues, and says truly what became of the message; and the verbs by hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.daemon.scripted import channel_plan
from tests.daemon.scripted import closed as upstream_closed
from tests.gateway.faced import BAD, TOKEN
from tests.gateway.http.asking import Asked, asked
from tests.waiting import eventually
from wscli.core.states import ChannelState
from wscli.errors import OutcomeUnknown

BINARY = {"Content-Type": "application/octet-stream"}
DIES = upstream_closed(1006)


@pytest_asyncio.fixture
async def it(tmp_path: Path) -> AsyncIterator[Asked]:
    async with asked(channel_plan(), channel_plan("rooms/{id}"), outbox_file=tmp_path / "outbox.db") as made:
        yield made


def told(answer: httpx.Response) -> tuple[int, str, int]:
    """The status, the outcome and the exit code; whatever else it says must be there too."""
    value = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert value["channel"] == "news"
    assert (value["error"] is None) == (value["code"] == 0)
    assert value["code"] == 0 or value["hint"]
    return answer.status_code, value["outcome"], value["code"]


async def test_the_body_is_sent_as_text_or_binary_as_it_is(it: Asked) -> None:
    assert told(await it.post(content="héllo\n")) == (200, "sent", 0)
    assert told(await it.post(content=b"\xff\x00", headers=BINARY)) == (200, "sent", 0)
    assert told(await it.post(content=b"")) == (200, "sent", 0)
    assert told(await it.post(json={"a": 1})) == (200, "sent", 0)
    assert [one for one, _ in it.server.link.sent] == ["héllo\n".encode(), b"\xff\x00", b"", b'{"a":1}']
    assert [binary for _, binary in it.server.link.sent] == [False, True, False, False]


async def test_a_chunked_body_is_put_together(it: Asked) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in ("a" * 40_000, "b", "c" * 40_000):
            yield piece.encode()

    assert told(await it.post(content=pieces())) == (200, "sent", 0)
    assert it.server.link.sent == [(b"a" * 40_000 + b"b" + b"c" * 40_000, False)]


async def test_text_that_is_not_utf_8_is_refused_with_the_way_out(it: Asked) -> None:
    answer = await it.post(content=b"caf\xe9")
    assert told(answer) == (422, "rejected", 7)
    assert "byte 3 of 4 is 0xe9" in answer.json()["error"]
    assert "application/octet-stream" in answer.json()["hint"]
    assert it.server.link.sent == []


async def test_a_body_that_is_compressed_is_refused_instead_of_sent_so(it: Asked) -> None:
    answer = await it.post(content=b"\x1f\x8b", headers={**BINARY, "Content-Encoding": "gzip"})
    assert told(answer) == (422, "rejected", 7)
    assert answer.json()["error"] == "the body has the Content-Encoding 'gzip'"
    assert told(await it.post(content="a", headers={"Content-Encoding": "identity"})) == (200, "sent", 0)
    assert it.server.link.sent == [(b"a", False)]


async def test_a_body_over_max_message_is_refused() -> None:
    async with asked(max_message=1000) as it:
        assert told(await it.post(content=b"x" * 1000)) == (200, "sent", 0)

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"x" * 400

        for body in (b"x" * 1001, pieces()):
            answer = await it.post(content=body)
            assert told(answer) == (413, "rejected", 7)
            assert "gateway.max_message" in answer.json()["hint"]
        assert len(it.server.link.sent) == 1


def head(it: Asked) -> bytes:
    return f"POST /channels/news HTTP/1.1\r\nHost: 127.0.0.1:{it.port}\r\nAuthorization: Bearer {TOKEN}\r\n".encode()


async def converse(it: Asked, *parts: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
    writer.write(head(it) + b"".join(parts))
    return reader, writer


async def test_a_client_that_asks_is_told_to_go_on(it: Asked) -> None:
    reader, writer = await converse(it, b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(b"hi")
    assert b'"outcome":"sent"' in await reader.read()
    writer.close()
    reader, writer = await converse(it, b"Content-Length: 2000000\r\nExpect: 100-continue\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 413 ")  # before it sends anything
    writer.close()


@pytest.mark.parametrize("framing", [b"Content-Length: 3\r\n\r\nhi", b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"])
async def test_a_client_that_vanishes_in_mid_message_sends_nothing(it: Asked, framing: bytes) -> None:
    _, writer = await converse(it, framing)
    await eventually(lambda: it.stats["clients"] == 1)
    writer.close()
    await eventually(lambda: it.stats["clients"] == 0)
    assert it.server.link.sent == []


async def test_a_body_that_does_not_arrive_is_given_up(it: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wscli.gateway.handshake.DEADLINE", 0.1)
    reader, writer = await converse(it, b"Content-Length: 3\r\n\r\nhi")
    assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
    writer.close()


@pytest.mark.parametrize(
    ("framing", "status"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (b"Content-Length: two\r\n\r\nhi", 400),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", 400),
    ],
)
async def test_a_malformed_body_is_refused(it: Asked, framing: bytes, status: int) -> None:
    reader, writer = await converse(it, framing)
    assert int((await reader.read()).split()[1]) == status
    writer.close()
    assert it.server.link.sent == []


async def test_a_message_waits_for_its_channel_and_is_certainly_not_sent_after_its_time(it: Asked) -> None:
    it.server.link.end(DIES)
    assert told(await it.post("/channels/news?timeout=20ms", content="late")) == (503, "rejected", 7)
    sending = asyncio.create_task(it.post(content="in time"))
    await eventually(lambda: it.stats["clients"] == 1)
    await it.it.time.advance(10.0)
    assert told(await sending) == (200, "sent", 0)
    assert it.server.link.sent == [(b"in time", False)]


async def test_a_message_goes_with_its_client_while_it_waits(it: Asked) -> None:
    it.server.link.end(DIES)
    sending = asyncio.create_task(it.post(content="never"))
    await eventually(lambda: it.stats["clients"] == 1)
    sending.cancel()
    await eventually(lambda: it.stats["clients"] == 0)
    await it.it.time.advance(10.0)
    assert it.server.link.sent == []


@pytest.mark.parametrize("chunked", [True, False], ids=["in its body", "behind its body"])
async def test_a_client_that_floods_disturbs_no_other(
    it: Asked, chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wscli.gateway.handshake.DEADLINE", 1.0)
    it.server.link.end(DIES)  # the message waits
    framing = b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: 1\r\n\r\na"
    pouring = asyncio.create_task(asyncio.to_thread(pour, it.port, head(it) + framing, b"1\r\na\r\n" * 10_000))
    while not pouring.done():  # until it was hung up on
        assert (await it.get("/healthz")).status_code == 200
    await pouring
    await eventually(lambda: it.stats["clients"] == 0)


def pour(port: int, request: bytes, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as sock, contextlib.suppress(OSError):
        sock.sendall(request)
        while True:
            sock.sendall(data)


async def test_an_unknown_outcome_is_told_apart_from_a_message_that_was_not_sent(it: Asked) -> None:
    it.server.link.fails[0] = OutcomeUnknown("the connection ended")
    assert told(await it.post(content="perhaps")) == (502, "unknown", 9)


async def test_a_failed_or_stopped_channel_is_a_conflict_that_waiting_does_not_end(it: Asked) -> None:
    it.channel.stop()
    assert told(await it.post(content="a")) == (409, "rejected", 8)
    it.channel.start()
    await it.it.time.settle()
    it.server.link.end(BAD)
    assert told(await it.post(content="a")) == (409, "rejected", 8)


async def test_a_queued_message_is_kept_until_the_channel_is_ready_and_its_key_counts_once(it: Asked) -> None:
    it.server.link.end(DIES)
    for _ in range(2):
        answer = await it.post("/channels/news?queue&key=order-17&ttl=1h", content="a")
        assert told(answer) == (202, "queued", 0)
        assert answer.json()["id"] == 1
    assert (await it.post("/channels/news?queue=1", content="b")).json()["id"] == 2
    await it.it.time.advance(10.0)
    await eventually(lambda: len(it.server.link.sent) == 2)
    assert it.server.link.sent == [(b"a", False), (b"b", False)]
    answer = await it.post("/channels/news?queue&key=order-17", content="a")
    assert told(answer) == (202, "sent", 0)


async def test_a_message_that_cannot_be_queued_is_rejected(it: Asked) -> None:
    assert told(await it.post("/channels/news?queue&key=" + "k" * 1025, content="a")) == (400, "rejected", 2)
    async with asked() as other:  # no directory for state
        assert told(await other.post("/channels/news?queue", content="a")) == (503, "rejected", 7)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("queue=yes", "invalid queue: 'yes'"),
        ("queue&ttl=5", "invalid ttl: '5'"),
        ("timeout=soon", "invalid timeout: 'soon'"),
        ("key=a", "'key' goes with 'queue'"),
        ("queue&timeout=5s", "'timeout' goes without 'queue'"),
    ],
)
async def test_an_invalid_value_sends_nothing(it: Asked, query: str, error: str) -> None:
    answer = await it.post(f"/channels/news?{query}", content="a")
    assert told(answer) == (400, "rejected", 2)
    assert answer.json()["error"] == error
    assert it.server.link.sent == []


async def test_a_channel_is_paused_resumed_and_restarted(it: Asked) -> None:
    answer = await it.post("/channels/news/pause")
    assert (answer.status_code, answer.json()["state"]) == (200, "paused")
    assert it.server.links == []
    answer = await it.post("/channels/news/resume")
    assert (answer.status_code, answer.json()["reason"]["code"]) == (200, "resumed")
    await it.it.time.settle()
    before = it.server.link
    assert (await it.post("/channels/news/resume")).json()["state"] == "ready"  # nothing to resume
    assert (await it.post("/channels/news/restart")).status_code == 200
    await it.it.time.advance(2.0)
    assert it.server.link is not before
    assert it.channel.state is ChannelState.READY
    for verb in ("pause", "resume", "restart"):
        answer = await it.post(f"/channels/nws/{verb}")
        assert (answer.status_code, answer.json()["code"]) == (404, 6)


async def test_a_channel_named_as_a_verb_is_reached_by_an_encoded_letter(it: Asked) -> None:
    answer = await it.post("/channels/rooms/%70ause?timeout=5s", content="a")
    assert (answer.json()["channel"], answer.json()["outcome"]) == ("rooms/pause", "sent")
    assert it.channel.state is ChannelState.READY


async def test_a_post_without_the_token_or_of_another_origin_does_nothing(it: Asked) -> None:
    foreign = {"Origin": "http://evil.example", "Content-Type": "text/plain"}
    for path in ("/channels/news", "/channels/news?queue", "/channels/news/pause", "/channels/news/restart"):
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
            refused = await it.post(path, content="a", headers=headers)
            assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (await it.post(path, content="a", headers=foreign)).status_code == 403
        assert (await it.post(path, content="a", headers={"Host": "evil.example"})).status_code == 421
    assert it.channel.state is ChannelState.READY
    assert it.server.link.sent == []
    assert (await it.get("/stats")).json()["channels"]["news"]["outbox"]["queued"] == 0


async def test_pages_still_take_no_post(it: Asked) -> None:
    answer = await it.post("/stats", content="a")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
