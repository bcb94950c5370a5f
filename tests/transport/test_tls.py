"""TLS: certificates are checked, what is refused is named, and the files of ``tls:`` are read with clear errors."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.transport.certificates import Certificates
from tests.transport.conftest import Dials, begun
from tests.transport.recorder import Recorder
from tests.transport.servers import BINARY, CLOSE, PING, PONG, TEXT, Peer, close_payload, echo, frame, serve
from tests.transport.test_refusals import refused, refused_by
from wscli.core.failures import FailureKind
from wscli.net.tls import TlsSettings, make_tls


@pytest.fixture
def secure() -> bool:
    """Every dial trusts our authority alone, unless told otherwise."""
    return True


async def test_messages_go_both_ways_over_tls(dial: Dials) -> None:
    async with serve(echo, tls=dial.serving, host="localhost") as server:
        link, seen = await dial(server.url)
        for size in (5, 70_000, 500_000):
            await link.send(b"x" * size, binary=True)
        assert [len(message) for message in await seen.received(3)] == [5, 70_000, 500_000]
        await link.close(4000)
        assert ((await seen.ended()).code, (await seen.ended()).by) == (4000, "us")
        steps = {step.name: step.detail for step in dial.timeline.steps}
        assert list(steps) == ["dns", "tcp", "tls", "upgrade"]
        assert steps["tls"].startswith("TLSv1.3, TLS_")


@pytest.mark.parametrize(
    ("chain", "why"),
    [
        ("self_signed", "unable to get local issuer certificate"),
        ("expired", "certificate has expired"),
        ("other_host", "IP address mismatch"),
    ],
)
async def test_a_certificate_that_does_not_hold_is_named(
    dial: Dials, certs: Certificates, chain: str, why: str
) -> None:
    async with serve(echo, tls=certs.serving(getattr(certs, chain))) as server:
        failure = await refused(dial, server.url)
        assert failure.kind is FailureKind.CERTIFICATE
        assert failure.text.startswith(f"the certificate of 127.0.0.1:{server.port} is refused: ")
        assert why in failure.text
        assert dial.timeline.steps[-1].name == "tls"


async def test_insecure_checks_nothing_and_server_name_another_name(dial: Dials, certs: Certificates) -> None:
    for chain, options in (
        (certs.self_signed, {"tls": make_tls(TlsSettings(insecure=True))}),
        (certs.other_host, {"server_name": "elsewhere.example"}),
    ):
        async with serve(echo, tls=certs.serving(chain)) as server:
            await dial(server.url, **options)
            await dial.close()


async def test_a_server_older_than_min_version_is_refused(dial: Dials, certs: Certificates) -> None:
    serving = certs.serving(certs.good)
    serving.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serve(echo, tls=serving) as server:
        for version in ("1.2", "1.3"):
            tls = make_tls(TlsSettings(ca=str(certs.ca), min_version=version))
            if version == "1.2":
                await dial(server.url, tls=tls)
                assert dial.timeline.steps[-2].detail.startswith("TLSv1.2, ")
                await dial.close()
            else:
                assert (await refused(dial, server.url, tls=tls)).kind is FailureKind.TLS


async def test_without_a_context_the_systems_authorities_decide(dial: Dials) -> None:
    async with serve(echo, tls=dial.serving) as server:
        assert (await refused(dial, server.url, tls=None)).kind is FailureKind.CERTIFICATE


async def test_a_client_certificate_is_shown_to_who_asks(dial: Dials, certs: Certificates) -> None:
    async with serve(echo, tls=certs.serving(certs.good, client_ca=certs.ca)) as server:
        await dial(server.url, tls=make_tls(TlsSettings(ca=str(certs.ca), cert=str(certs.client))))
        await dial.close()


async def test_a_missing_client_certificate_is_named(dial: Dials, certs: Certificates) -> None:
    """By a blocking server: asyncio's closes without the alert."""
    listening = socket.create_server(("127.0.0.1", 0))
    context = certs.serving(certs.good, client_ca=certs.ca)

    def refuse() -> None:
        connection, _ = listening.accept()
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secured:
            with suppress(ssl.SSLError):
                secured.do_handshake()
            while socket.socket.recv(secured, 65536):
                pass

    with ThreadPoolExecutor(1) as pool, listening:
        done = pool.submit(refuse)
        url = f"wss://127.0.0.1:{listening.getsockname()[1]}/"
        failure = await refused(dial, url)
        done.result(5)
    assert failure.kind is FailureKind.CERTIFICATE
    assert "refuses our certificate: certificate required" in failure.text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"),
        (b"", "closed the connection during the TLS handshake"),
    ],
)
async def test_a_port_that_does_not_speak_tls_or_closes_meanwhile(dial: Dials, answer: bytes, text: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(100)
        if answer:
            await peer.send(answer)
            await peer.gone()

    failure = await refused_by(dial, script, scheme="wss")
    assert (failure.kind, failure.text) == (FailureKind.TLS, f"SERVER {text}")


async def test_control_frames_never_stand_inside_a_message_that_waits(dial: Dials) -> None:
    """Over TLS a message is written in slices; pongs, pings and a close wait for its end, a cancelled sender too."""
    may_read = asyncio.Event()
    received: list[int] = []

    async def script(peer: Peer) -> None:
        peer.pause()
        await may_read.wait()
        await peer.send(frame(PING, b"1") + frame(PING, b"2") + frame(TEXT, b"seen"))
        await heard.received(1)
        peer.resume()
        while CLOSE not in received:
            received.append((await peer.read_frame()).opcode)
        await peer.send(frame(CLOSE, close_payload(1000)))

    heard = Recorder()
    async with dial.upgraded(script, heard) as (link, _):
        sending = await begun(link.send(os.urandom(16 << 20), binary=True))
        pinging = asyncio.ensure_future(link.ping())
        may_read.set()
        await heard.received(1)
        assert not sending.done()
        sending.cancel()
        await link.close(deadline=5.0)
        pinging.cancel()
        assert received[0] == BINARY
        assert sorted(received[1:]) in ([CLOSE, PING], [CLOSE, PING, PONG])
