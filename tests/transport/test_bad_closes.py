"""Ends that break the rules, and what they are called: a bad close frame is a close, HTTP text is named."""

from __future__ import annotations

import pytest

from tests.transport.conftest import Dials
from tests.transport.servers import CLOSE, TEXT, Peer, close_payload, frame
from wscli.core.failures import FailureKind

BAD_CLOSES = {
    **{
        f"{code}": (close_payload(code, b"bye"), code, "bye", f"{code} bye (invalid close code {code})", 1002)
        for code in (0, 401, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)
    },
    "one byte": (b"\x03", 1005, "", "1005 (a close frame of 1 byte)", 1002),
    "long": (
        close_payload(4000, b"x" * 200), 4000, "x" * 123, f"4000 {'x' * 123} (a close reason of 200 bytes)", 1002
    ),
    "not UTF-8": (
        close_payload(4000, b"a\xff"), 4000, "a\ufffd", "4000 a\ufffd (a close reason that is not UTF-8)", 1007
    ),
}  # fmt: skip


@pytest.mark.parametrize(("payload", "code", "reason", "said", "answered"), BAD_CLOSES.values(), ids=BAD_CLOSES)
@pytest.mark.parametrize("before", [b"", frame(TEXT, "grüße, \u0088~".encode())], ids=["alone", "behind a message"])
async def test_a_close_frame_that_breaks_a_rule_is_a_close_with_its_code(
    dial: Dials, before: bytes, payload: bytes, code: int, reason: str, said: str, answered: int
) -> None:
    failure, answer, _ = await dial.ended_by(before + frame(CLOSE, payload))
    assert (failure.kind, failure.code, failure.by, failure.close_reason) == (FailureKind.CLOSE, code, "peer", reason)
    assert (failure.text, answer) == (f"closed by the server: {said}", answered)


@pytest.mark.parametrize("rest", ["", f"X-Long: {'y' * 300}\r\n"], ids=["short", "long"])
@pytest.mark.parametrize("before", [b"", frame(TEXT, b"a message")], ids=["alone", "behind a message"])
async def test_http_text_inside_the_stream_is_named(dial: Dials, before: bytes, rest: str) -> None:
    """An idle timeout of a balancer, which takes the connection for one of HTTP."""
    text = f"HTTP/1.1 408 Request Time-out\r\nConnection: close\r\n{rest}\r\n"

    async def script(peer: Peer) -> None:
        await peer.upgrade()
        await peer.send(before + text.encode())
        peer.writer.close()

    async with dial.served(script) as (_, seen):
        failure = await seen.ended()
        assert (failure.kind, failure.code, failure.by) == (FailureKind.CLOSE, 1006, "peer")
        assert failure.text.endswith(": HTTP/1.1 408 Request Time-out")
        assert seen.messages == ([b"a message"] if before else [])
