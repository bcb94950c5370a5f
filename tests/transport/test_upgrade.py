"""The answer of 101: every valid one opens a connection with both adapters, an invalid one names the rule it breaks."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import enable_client_permessage_deflate

from tests.transport.conftest import Dials, over_tls_too
from tests.transport.servers import TEXT, Peer, Script, accept_key, frame
from tests.transport.test_refusals import refused_by
from wscli.core.failures import FailureKind
from wscli.transport.dial.agreement import agree
from wscli.transport.dial.response import MAX_HEAD, parse_head

STATUS = "HTTP/1.1 101 Switching Protocols"
UPGRADE, CONNECTION, ACCEPT = "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: {key}"
WHOLE = [STATUS, UPGRADE, CONNECTION, ACCEPT]


def answering_with(lines: list[str], *, end: str = "\r\n") -> Script:
    """Answer with these lines, and a first message in the same packet; ``{key}`` is the right answer to the key."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        head = end.join([*lines, "", ""]).replace("{key}", accept_key(peer.headers["sec-websocket-key"]))
        await peer.send(head.encode("latin-1") + frame(TEXT, b"welcome"))
        await peer.gone()

    return script


VALID = {
    "no phrase": ["HTTP/1.1 101", *WHOLE[1:]],
    "an empty phrase": ["HTTP/1.1 101 ", *WHOLE[1:]],
    "a phrase beyond ascii": ["HTTP/1.1 101 \xfcber", *WHOLE[1:]],
    "another phrase": ["HTTP/1.1 101 Web Socket Protocol Handshake", *WHOLE[1:]],
    "several blanks in the status line": ["HTTP/1.1  101  Switching  Protocols ", *WHOLE[1:]],
    "a version in lower case": ["http/1.1 101 Switching Protocols", *WHOLE[1:]],
    "HTTP/1.0": ["HTTP/1.0 101 Switching Protocols", *WHOLE[1:]],
    "200 headers": [*WHOLE, *(f"X-{at}: {at}" for at in range(200))],
    "2000 headers first": [STATUS, *(f"X-{at}: {at}" for at in range(2000)), *WHOLE[1:]],
    "a header of 9 KiB": [*WHOLE, f"X-Big: {'a' * 9000}"],
    "a header of 60 KiB": [STATUS, f"X-Big: {'a' * 60_000}", *WHOLE[1:]],
    "a folded header": [*WHOLE, "X-Long: a", "  folded", "\tagain"],
    "a folded accept": [STATUS, UPGRADE, CONNECTION, "Sec-WebSocket-Accept:", " {key}"],
    "a folded connection": [STATUS, UPGRADE, "Connection: keep-alive,", " Upgrade", ACCEPT],
    "a blank line behind the status": [STATUS, " X-Lost: x", *WHOLE[1:]],
    "the accept twice": [*WHOLE, ACCEPT],
    "the upgrade twice": [*WHOLE, UPGRADE],
    "the connection twice": [*WHOLE, CONNECTION],
    "names in lower case": [STATUS, *(line.partition(":")[0].lower() + line[line.index(":") :] for line in WHOLE[1:])],
    "names in upper case": [STATUS, *(line.partition(":")[0].upper() + line[line.index(":") :] for line in WHOLE[1:])],
    "values in another case": [STATUS, "Upgrade: WebSocket", "Connection: UPGRADE", ACCEPT],
    "no blank behind the colon": [STATUS, "Upgrade:websocket", "Connection:Upgrade", "Sec-WebSocket-Accept:{key}"],
    "blanks and tabs around values": [STATUS, *(f"{line.replace(': ', ': 	 ')} \t" for line in WHOLE[1:])],
    "a blank before the colon": [STATUS, *(line.replace(": ", " : ") for line in WHOLE[1:])],
    "keep-alive, Upgrade": [STATUS, UPGRADE, "Connection: keep-alive, Upgrade", ACCEPT],
    "connection on two lines": [STATUS, UPGRADE, "Connection: keep-alive", CONNECTION, ACCEPT],
    "empty members of lists": [STATUS, UPGRADE, "Connection: , upgrade,, ", ACCEPT],
    "content-length: 0": [*WHOLE, "Content-Length: 0"],
    "a content-length, which a 101 has not": [*WHOLE, "Content-Length: 5"],
    "transfer-encoding": [*WHOLE, "Transfer-Encoding: chunked"],
    "a line that is no header": [*WHOLE, "nonsense"],
    "a name that is no token": [*WHOLE, "X Y(Z): x"],
    "bytes beyond ascii": [*WHOLE, "X-Name: \xfcber"],
    "a subprotocol": [*WHOLE, "Sec-WebSocket-Protocol: v2"],
    "a subprotocol twice": [*WHOLE, "Sec-WebSocket-Protocol: v2", "Sec-WebSocket-Protocol: v2"],
    "an empty subprotocol": [*WHOLE, "Sec-WebSocket-Protocol:"],
    "empty extensions": [*WHOLE, "Sec-WebSocket-Extensions: "],
    "the status of early hints first": ["HTTP/1.1 103 Early Hints", "Link: </x>", "", *WHOLE],
}


@pytest.mark.parametrize("lines", VALID.values(), ids=VALID)
async def test_a_valid_upgrade_answer_opens_the_connection(dial: Dials, lines: list[str]) -> None:
    """In one dial; RFC 6455, section 4.1, RFC 9110, section 5, and RFC 9112, sections 4 and 5."""
    async with dial.served(answering_with(lines), subprotocols=("v1", "v2")) as (link, seen):
        assert await seen.received(1) == [b"welcome"]
        assert link.subprotocol in (None, "v2")
        assert (link.adapter, dial.server.connections) == (dial.adapter, 1)
        assert dial.timeline.steps[-1].detail == "HTTP 101" + (", subprotocol v2" if link.subprotocol else "")


@over_tls_too
@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_a_line_ends_with_lf_or_crlf(dial: Dials, end: str) -> None:
    async with dial.served(answering_with(WHOLE, end=end)) as (_, seen):
        assert await seen.received(1) == [b"welcome"]


async def test_an_answer_may_come_in_any_pieces(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        for byte in peer.answer("X-Long: a\r\n folded") + frame(TEXT, b"welcome"):
            await peer.send(bytes([byte]))
        await peer.gone()

    async with dial.served(script) as (_, seen):
        assert await seen.received(1) == [b"welcome"]


@pytest.mark.parametrize(("over", "opens"), [(0, True), (1, False)])
async def test_the_limit_of_an_answer_is_64_kib(dial: Dials, over: int, opens: bool) -> None:
    lines = [*WHOLE, "X-Big: "]
    size = len("\r\n".join(lines)) - len("{key}") + 28
    lines[-1] += "a" * (MAX_HEAD - size + over)
    if opens:
        async with dial.served(answering_with(lines)) as (_, seen):
            assert await seen.received(1) == [b"welcome"]
    else:
        failure = await refused_by(dial, answering_with(lines))
        assert failure.text == "SERVER answered the upgrade with more than 65536 bytes of headers"


@pytest.mark.parametrize(("count", "opens"), [(16, True), (17, False)])
async def test_a_server_may_send_16_interim_answers(dial: Dials, count: int, opens: bool) -> None:
    script = answering_with(["HTTP/1.1 102 Processing", ""] * count + WHOLE)
    if opens:
        async with dial.served(script) as (_, seen):
            assert await seen.received(1) == [b"welcome"]
    else:
        failure = await refused_by(dial, script)
        assert failure.text == "SERVER sent more than 16 interim answers to the upgrade"


INVALID = {
    "Sec-WebSocket-Accept is missing": [UPGRADE, CONNECTION],
    "Sec-WebSocket-Accept does not match": [UPGRADE, CONNECTION, f"Sec-WebSocket-Accept: {'A' * 27}="],
    "Sec-WebSocket-Accept has two values": [UPGRADE, CONNECTION, ACCEPT, f"Sec-WebSocket-Accept: {'A' * 27}="],
    "Upgrade is missing": [CONNECTION, ACCEPT],
    "Upgrade must be 'websocket', not 'h2c'": ["Upgrade: h2c", CONNECTION, ACCEPT],
    "Upgrade must be 'websocket', not 'websocket, h2c'": ["Upgrade: websocket, h2c", CONNECTION, ACCEPT],
    "Upgrade must be 'websocket', not ''": ["Upgrade:", CONNECTION, ACCEPT],
    "Connection is missing": [UPGRADE, ACCEPT],
    "Connection must contain 'Upgrade', not 'close'": [UPGRADE, "Connection: close", ACCEPT],
    "the subprotocol 'other' was not offered": [*WHOLE[1:], "Sec-WebSocket-Protocol: other"],
    "the subprotocol 'V1' was not offered": [*WHOLE[1:], "Sec-WebSocket-Protocol: V1"],
    "two subprotocols are selected: 'v1, v2'": [*WHOLE[1:], "Sec-WebSocket-Protocol: v1, v2"],
    "the extension 'x' was not offered": [*WHOLE[1:], "Sec-WebSocket-Extensions: x"],
    "the extension 'permessage-deflate' was not offered": [*WHOLE[1:], "Sec-WebSocket-Extensions: permessage-deflate"],
    "invalid Sec-WebSocket-Extensions: ';;'": [*WHOLE[1:], "Sec-WebSocket-Extensions: ;;"],
    "Upgrade must be 'websocket', not '\\x1b[31m'": ["Upgrade: \x1b[31m", CONNECTION, ACCEPT],
}


@pytest.mark.parametrize(("rule", "lines"), INVALID.items(), ids=INVALID)
async def test_an_invalid_upgrade_answer_names_the_rule_that_it_breaks(
    dial: Dials, rule: str, lines: list[str]
) -> None:
    """By RFC 6455, section 4.1; remote text is quoted with its control characters escaped."""
    failure = await refused_by(dial, answering_with([STATUS, *lines]), subprotocols=("v1", "v2"))
    text = f"SERVER sent an invalid upgrade answer: {rule}"
    assert (failure.kind, failure.text) == (FailureKind.UPGRADE, text)


@pytest.mark.parametrize(
    "value",
    [
        "permessage-deflate; server_max_window_bits=99",
        "permessage-deflate; unknown=1",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate; client_no_context_takeover=1",
    ],
)
async def test_invalid_parameters_of_compression_are_named(value: str) -> None:
    dial = Dials("websockets")
    lines = [*WHOLE, f"Sec-WebSocket-Extensions: {value}"]
    failure = await refused_by(dial, answering_with(lines), compression="deflate")
    text = f"SERVER sent an invalid upgrade answer: invalid Sec-WebSocket-Extensions: {value!r}"
    assert (failure.kind, failure.text) == (FailureKind.UPGRADE, text)


@pytest.mark.parametrize(
    "lines",
    [
        ["Sec-WebSocket-Extensions: permessage-deflate"],
        ["Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Extensions: permessage-deflate"],
        ["Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover;", " client_max_window_bits=12"],
    ],
)
async def test_compression_is_agreed_on_in_every_written_form(lines: list[str]) -> None:
    dial = Dials("websockets")
    async with dial.served(answering_with([*WHOLE, *lines]), compression="deflate") as (_, seen):
        assert await seen.received(1) == [b"welcome"]
        assert dial.timeline.steps[-1].detail == "HTTP 101, permessage-deflate"


async def test_a_cut_answer_is_told(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(peer.answer()[:-2])
        await asyncio.sleep(0)

    failure = await refused_by(dial, script)
    assert (failure.kind, failure.text) == (
        FailureKind.UPGRADE,
        "SERVER closed the connection in the middle of its answer",
    )


@given(st.binary(), st.binary(max_size=80))
def test_no_head_raises_anything_but_value_error(head: bytes, value: bytes) -> None:
    for block in (head, b"HTTP/1.1 101\r\n" + head, b"HTTP/1.1 101\r\nSec-WebSocket-Extensions: " + value):
        with suppress(ValueError):
            agree(parse_head(block), "key", ("v1",), enable_client_permessage_deflate(None))


@given(st.binary(max_size=80))
def test_no_value_of_extensions_raises_anything_but_value_error(value: bytes) -> None:
    head = "\r\n".join(WHOLE).replace("{key}", accept_key("key")).encode()
    with suppress(ValueError):
        block = head + b"\r\nSec-WebSocket-Extensions: " + value
        agree(parse_head(block), "key", (), enable_client_permessage_deflate(None))
