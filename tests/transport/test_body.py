"""The beginning of a refusal's body: read however it is framed, and told in one line."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transport.conftest import Dials
from tests.transport.servers import Peer
from tests.transport.test_refusals import refused_by
from wscli.transport.dial import upgrade
from wscli.transport.dial.body import MAX_BODY, first_line, read_body
from wscli.transport.dial.response import ResponseHead, parse_head


def head(*lines: str) -> ResponseHead:
    return parse_head("\r\n".join(["HTTP/1.1 403 Forbidden", *lines]).encode())


CHUNKED = head("Transfer-Encoding: chunked")


@pytest.mark.parametrize(
    ("answer", "data", "body", "complete"),
    [
        (head("Content-Length: 2"), b"no", "no", True),
        (head("Content-Length: 2"), b"n", "n", False),
        (head("Content-Length: 2"), b"no more", "no", True),
        (head("Content-Length: x"), b"no", "no", False),
        (head("Content-Length: " + "9" * 5000), b"no", "no", False),
        (head(), b"no", "no", False),
        (head(), b"x" * 999, "x" * MAX_BODY, True),
        (head("Content-Length: 999"), b"x" * 300, "x" * MAX_BODY, True),
        (head(), b"\xff\x00ok", "\ufffd\x00ok", False),
        (CHUNKED, b"2\r\nno\r\n1;a=b\r\n!\r\n0\r\n\r\n", "no!", True),
        (CHUNKED, b"2\r\nno\r\n0", "no", False),
        (CHUNKED, b"5\r\nno", "no", False),
        (CHUNKED, b"fff\r\n" + b"x" * 400, "x" * MAX_BODY, True),
        (CHUNKED, b"zz\r\nno", "", True),
        (CHUNKED, b"-5\r\nno", "", True),
        (head("Content-Encoding: gzip"), gzip.compress(b"no", mtime=0), "no", False),
        (head("Content-Encoding: gzip"), b"no", "", False),
        (parse_head(b"HTTP/1.1 204 No Content"), b"", "", True),
        (head("Content-Length: 0"), b"", "", True),
    ],
)
def test_a_body_is_read_as_it_is_framed(answer: ResponseHead, data: bytes, body: str, complete: bool) -> None:
    assert read_body(answer, data) == (body, complete)


@given(st.sampled_from([CHUNKED, head(), head("Content-Length: 40")]), st.binary(max_size=800))
def test_no_body_is_an_error_and_none_is_longer_than_its_limit(answer: ResponseHead, data: bytes) -> None:
    body, _ = read_body(answer, data)
    assert len(body) <= MAX_BODY
    assert len(first_line(body).splitlines()) <= 1


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("", ""),
        ("\n\n  no access \nsecond line", "no access"),
        ('{"error":"subscription has expired"}', '{"error":"subscription has expired"}'),
        ('{\n  "error": "expired"\n}', '{ "error": "expired" }'),
        ("<!DOCTYPE html>\n<html><head><title>403 Forbidden</title></head>", "403 Forbidden"),
        ("<html><style>body {color: red}</style><h1>No &amp; never</h1>", "No &amp; never"),
        ("<html><head><sty", ""),
    ],
)
def test_its_first_line_is_what_a_person_reads(body: str, line: str) -> None:
    assert first_line(body) == line


async def test_a_body_that_follows_its_head_is_waited_for(dial: Dials, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade, "_BODY_WAIT", 3600.0)

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 14\r\n\r\n")
        await asyncio.sleep(0.01)
        await peer.send(b"no account ")
        await asyncio.sleep(0.01)
        await peer.send(b"yet")
        await peer.gone()

    failure = await refused_by(dial, script)
    assert failure.text == "SERVER answered the upgrade with HTTP 403 Forbidden: no account yet"


@pytest.mark.parametrize("reset", [False, True])
async def test_a_body_that_the_server_cuts_short_is_told_as_far_as_it_came(dial: Dials, reset: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nno account")
        if reset:
            await asyncio.sleep(0.05)
            peer.reset()

    assert (await refused_by(dial, script)).text.endswith("HTTP 403 Forbidden: no account")


async def test_a_deadline_that_is_near_leaves_the_status_as_the_failure(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        await peer.gone()

    for timeout in (0.3, 3.0, 30.0):  # on a busy machine the first may pass before the status is there
        failure = await refused_by(dial, script, timeout=timeout)
        if failure.code is not None:
            break
    assert (failure.code, failure.text) == (403, "SERVER answered the upgrade with HTTP 403 Forbidden")


async def test_a_chunk_size_without_an_end_is_not_read_on(dial: Dials, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade, "_BODY_WAIT", 3600.0)

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * (1 << 17))
        await peer.gone()

    async with asyncio.timeout(10):
        failure = await refused_by(dial, script, timeout=3600.0)
    assert failure.text == "SERVER answered the upgrade with HTTP 403 Forbidden"
