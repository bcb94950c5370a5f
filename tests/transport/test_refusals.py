"""Servers that do not upgrade: each becomes one failure with a kind, a text and what is needed to go on."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.daemon.passing import let_pass
from tests.transport.conftest import Dials
from tests.transport.servers import Peer, Script, answering, refusing, serve
from wscli.core.failures import Failure, FailureKind
from wscli.transport.connection import DialError


async def refused(dial: Dials, url: str, **options: object) -> Failure:
    """Dial, and give the failure that comes; its step must be the timeline's last, and not ok."""
    with pytest.raises(DialError) as caught:
        await dial(url, **options)
    failure = caught.value.failure
    assert "\n" not in failure.text
    assert (dial.timeline.steps[-1].ok, dial.timeline.steps[-1].detail) == (False, failure.text)
    assert all(step.ok for step in dial.timeline.steps[:-1])
    return failure


async def refused_by(dial: Dials, script: Script, *, scheme: str = "ws", **options: object) -> Failure:
    """Dial a scripted server, once, until it saw us go; in the text ``SERVER`` stands for its host and port."""
    async with serve(script) as server:
        failure = await refused(dial, server.url.replace("ws:", f"{scheme}:"), **options)
        assert server.connections == 1
        await server.scripts_done()
    return replace(failure, text=failure.text.replace(f"127.0.0.1:{server.port}", "SERVER"))


@pytest.mark.parametrize(
    "status",
    [
        *("401 Unauthorized", "403 Forbidden", "404 Not Found", "429 Too Many Requests", "500 "),
        *("529 Site is overloaded", "200 OK", "204 No Content"),
    ],
)
async def test_another_status_is_the_failure(dial: Dials, status: str) -> None:
    """Unregistered ones, such as 529, as well."""
    failure = await refused_by(dial, refusing(status, body=b"no"))
    assert (failure.kind, failure.code, failure.retry_after) == (FailureKind.STATUS, int(status[:3]), None)
    why = "" if status.startswith("204") else ": no"
    assert failure.text == f"SERVER answered the upgrade with HTTP {status.rstrip()}{why}"


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 503\r\n\r\n", b"HTTP/1.0 503 Busy\r\n\r\n", b"HTTP/1.1 503 B\xfcsy\r\nodd\r\n\r\n"]
)
async def test_a_sloppy_answer_still_has_its_status(dial: Dials, head: bytes) -> None:
    assert (await refused_by(dial, answering(head))).code == 503


async def test_retry_after_is_told_in_seconds_and_as_a_date(dial: Dials) -> None:
    failure = await refused_by(dial, refusing("503 Service Unavailable", "retry-after: 3"))
    assert failure.retry_after == 3.0
    assert failure.text.endswith("HTTP 503 Service Unavailable with Retry-After 3s")
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    failure = await refused_by(dial, refusing("429 Too Many Requests", f"Retry-After: {then}"))
    assert 85 < (failure.retry_after or 0) <= 90


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
async def test_a_redirect_is_told_and_not_followed(dial: Dials, status: str) -> None:
    """Its query may hold secrets: it stands in its field and in no text."""
    location = "https://bob:s3cret@api.example.com/elsewhere?token=s3cret#s3cret"
    failure = await refused_by(dial, refusing(status, f"Location: {location}"))
    assert (failure.kind, failure.code, failure.location) == (FailureKind.STATUS, int(status[:3]), location)
    assert failure.text.endswith(f"HTTP {status}, a redirect to https://***@api.example.com/elsewhere?***")


async def test_the_status_is_enough_although_the_body_never_ends(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            await peer.send(b"x")
            await asyncio.sleep(0.01)

    async with asyncio.timeout(10):
        assert (await refused_by(dial, script, timeout=30.0)).code == 401


@pytest.mark.parametrize(("scheme", "awaited"), [("ws", "upgrade"), ("wss", "TLS handshake")])
async def test_a_server_that_never_answers_is_left_at_the_deadline(dial: Dials, scheme: str, awaited: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        let_pass(30.0)
        await peer.gone()

    failure = await refused_by(dial, script, scheme=scheme, timeout=30.0)
    assert (failure.kind, failure.text) == (FailureKind.TIMEOUT, f"no answer to the {awaited} from SERVER within 30s")


async def test_an_answer_in_drips_does_not_extend_the_deadline(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\n")
        for _ in range(10):
            await peer.send(b"X-Patience: yes\r\n")
            let_pass(3.0)
            await asyncio.sleep(0.001)
        await peer.gone()

    assert (await refused_by(dial, script, timeout=30.0)).kind is FailureKind.TIMEOUT


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP: SSH-2.0-OpenSSH_9.2"),
        (b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n", "HTTP, but with TLS: is it wss://?"),
        (b"HTTP/2 200\r\n\r\n", "HTTP: HTTP/2 200"),
        (b"HTTP/1.1 99 Too Few\r\n\r\n", "HTTP: HTTP/1.1 99 Too Few"),
        (b"HTTP/1.1 abc\r\n\r\n", "HTTP: HTTP/1.1 abc"),
        (b"\r\n\r\n\r\n", "HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nX-Long: " + b"x" * 100_000, None),
        (b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 20_000, None),
    ],
    ids=["ssh", "tls alert", "http 2", "status 99", "status abc", "empty lines", "a huge header", "many headers"],
)
async def test_what_is_not_http_or_huge_is_no_upgrade(dial: Dials, answer: bytes, said: str | None) -> None:
    failure = await refused_by(dial, answering(answer))
    assert failure.kind is FailureKind.UPGRADE
    assert said is None or failure.text == f"SERVER did not answer the upgrade with {said}"


@pytest.mark.parametrize(
    ("reset", "text"),
    [
        (False, "SERVER closed the connection without answering the upgrade"),
        (True, "SERVER reset the connection before answering the upgrade"),
    ],
)
async def test_a_server_that_leaves_instead_of_answering(dial: Dials, reset: bool, text: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        if reset:
            peer.reset()

    failure = await refused_by(dial, script)
    assert (failure.kind, failure.text) == (FailureKind.UPGRADE, text)


async def test_a_port_without_a_listener(dial: Dials) -> None:
    async with serve(lambda peer: peer.gone()) as server:
        pass
    failure = await refused(dial, server.url)
    text = f"cannot connect to 127.0.0.1:{server.port}: connection refused"
    assert (failure.kind, failure.text) == (FailureKind.TCP, text)


@pytest.mark.parametrize(
    ("hangs", "kind", "text"),
    [
        (False, FailureKind.DNS, "cannot resolve 'nowhere.invalid': name or service not known"),
        (True, FailureKind.TIMEOUT, "no answer to the lookup of 'nowhere.invalid' within 30s"),
    ],
)
async def test_a_name_that_does_not_exist_or_whose_lookup_hangs(
    dial: Dials, hangs: bool, kind: FailureKind, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(*args: object, **options: object) -> object:
        if hangs:
            let_pass(30.0)
            await asyncio.Event().wait()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    failure = await refused(dial, "ws://nowhere.invalid/x", timeout=30.0)
    assert (failure.kind, failure.text) == (kind, text)


async def test_a_name_that_cannot_be(dial: Dials) -> None:
    assert (await refused(dial, f"ws://{'a' * 70}.invalid/x")).kind is FailureKind.DNS


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1/?token=s3cret", "ws://"),
        ("ws://:80/?token=s3cret", "no host"),
        ("ws://127.0.0.1:99999/?token=s3cret", "is invalid"),
        ("ws://127.0.0.1:s3cret/", "is invalid"),
        ("ws://127.0.0.1:0/?token=s3cret", "port is 0"),
        ("ws://[::1/?token=s3cret", "is invalid"),
        ("ws://" + "ä" * 70 + "/?token=s3cret", "is invalid"),
    ],
)
async def test_a_url_that_cannot_be_dialled_is_not_quoted(dial: Dials, url: str, why: str) -> None:
    with pytest.raises(DialError) as caught:
        await dial(url)
    assert why in caught.value.failure.text
    assert "s3cret" not in caught.value.failure.text


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Bad Name", "x"),
        ("X", "s3cret\r\nY: z"),
        ("X", "s3cret\x00"),
        ("X", "s3cret €"),
        ("Upgrade", "s3cret"),
        ("", "s3cret"),
    ],
)
async def test_a_header_that_cannot_be_sent_is_named_and_its_value_is_not(dial: Dials, header: str, value: str) -> None:
    async with serve(lambda peer: peer.gone()) as server:
        with pytest.raises(DialError, match="cannot be sent") as caught:
            await dial(server.url, headers=((header, value),))
        assert repr(header) in caught.value.failure.text
        assert "s3cret" not in caught.value.failure.text
        assert server.connections == 0


@pytest.mark.parametrize("subprotocol", ["", "bearer.s3cret\r\nX-Evil: 1", "a s3cret", "a,s3cret", "s3cret\u20ac"])
async def test_a_subprotocol_that_is_no_token_is_refused_before_the_dial(dial: Dials, subprotocol: str) -> None:
    """It may hold a secret: the text does not quote it."""
    async with serve(refusing("200 OK")) as server:
        with pytest.raises(DialError, match="a subprotocol cannot be sent") as caught:
            await dial(server.url, subprotocols=("v1", subprotocol))
        assert server.connections == 0
    assert "s3cret" not in caught.value.failure.text
