"""``send``: blocks of payload, an exact count of what left, and nothing sent for a client that is gone."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.daemon.served import Served, block, fill, link_of
from tests.waiting import eventually
from wscli.control.protocol import BLOCK_LIMIT, request_line, split_block
from wscli.core.states import ChannelState
from wscli.errors import AuthError, ChannelUnavailable, NotSent, OutcomeUnknown, UnknownChannel, WscliError


def header(**args: Any) -> bytes:
    return request_line("send", {"channel": "calls", **args})


@pytest.mark.parametrize("payload", [b"a\nb\0c", b""])
async def test_one_message_is_sent_whole_as_text(served: Served, payload: bytes) -> None:
    assert await served.ask("send", {"channel": "calls", "bytes": len(payload)}, payload) == {"sent": 1, "connects": 1}
    assert link_of(served.calls).sent == [(payload, False)]


async def test_bytes_go_as_binary_and_only_then_need_not_be_text(served: Served) -> None:
    await served.ask("send", {"channel": "calls", "bytes": 2, "binary": True}, b"\xff\x00")
    assert link_of(served.calls).sent == [(b"\xff\x00", True)]
    with pytest.raises(NotSent, match="byte 1 of 2 is 0xff") as caught:
        await served.ask("send", {"channel": "calls", "bytes": 2}, b"a\xff")
    assert "--binary" in str(caught.value.hint)


async def test_blocks_are_answered_one_by_one_with_what_was_sent(served: Served) -> None:
    blocks = block(b"a\nb\n") + block(b"c\0d\0", "nul") + block(b"e\nf", "whole")
    answers = await served.exchange(header() + blocks, hang_up=True)
    assert [answer["result"]["sent"] for answer in answers] == [0, 2, 2, 1]
    assert [payload for payload, _ in link_of(served.calls).sent] == [b"a", b"b", b"c", b"d", b"e\nf"]


async def test_the_first_failure_ends_it_and_says_how_many_left_before(served: Served) -> None:
    link = link_of(served.calls)
    link.fails[3] = NotSent("the connection was lost", "send it again")
    answers = await served.exchange(header() + block(b"a\nb\n") + block(b"c\nd\ne\n") + block(b"f\n"))
    assert [answer["ok"] for answer in answers] == [True, True, False]
    assert answers[-1]["error"] == {
        "code": 7,
        "message": "channel 'calls': the connection was lost",
        "hint": "send it again",
        "sent": 1,
    }
    assert [payload for payload, _ in link.sent] == [b"a", b"b", b"c"]


@pytest.mark.parametrize(("refused", "error"), [(False, ChannelUnavailable), (True, AuthError)])
async def test_a_message_to_a_channel_that_failed_is_told_why(
    served: Served, refused: bool, error: type[WscliError]
) -> None:
    await served.bring(served.calls, ChannelState.FAILED, refused=refused)
    with pytest.raises(error):
        await served.ask("send", {"channel": "calls", "bytes": 1}, b"x")


async def test_a_message_to_be_answered_is_told_what_it_became_and_behind_which_it_went(served: Served) -> None:
    channel = served.calls
    fill(channel, "a", "b")
    text = b'{"id":{ref.int},"again":{ref.int}}'
    found = await served.ask("send", {"channel": "calls", "bytes": len(text), "refs": True}, text)
    assert found == {"sent": 1, "ref": 1, "after": f"{channel.history.epoch}:2"}
    found = await served.ask("send", {"channel": "calls", "bytes": len(text), "refs": False}, text)
    assert found == {"sent": 1, "ref": None, "after": f"{channel.history.epoch}:2"}
    assert link_of(channel).sent == [(b'{"id":1,"again":1}', False), (text, False)]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("more", [{}, {"refs": True}])
async def test_a_message_that_the_server_may_have_read_is_told_as_such(
    served: Served, binary: bool, more: dict[str, bool]
) -> None:
    link_of(served.calls).clogged = True
    with pytest.raises(OutcomeUnknown):
        await served.ask("send", {"channel": "calls", "bytes": 1, "binary": binary, **more}, b"x")


async def test_a_message_to_be_answered_that_is_none_is_refused(served: Served) -> None:
    with pytest.raises(NotSent, match="0xff"):
        await served.ask("send", {"channel": "calls", "bytes": 1, "refs": True}, b"\xff")
    with pytest.raises(WscliError, match="'bytes'"):
        await served.ask("send", {"channel": "calls", "refs": True})


async def test_an_unknown_channel_is_told_before_there_is_anything_to_send(served: Served) -> None:
    with pytest.raises(UnknownChannel):
        await served.ask("send", {"channel": "nowhere"})


async def test_the_channel_is_in_use_until_the_client_has_no_more(served: Served) -> None:
    channel = served.calls
    with served.dial() as sock:
        sock.sendall(header() + block(b"a\n"))
        await eventually(lambda: link_of(channel).sent)
        assert channel.in_use
        sock.shutdown(socket.SHUT_WR)
        await eventually(lambda: not channel.in_use)


async def test_a_client_that_goes_while_its_message_waits_takes_it_along(served: Served) -> None:
    channel = served.calls
    await served.bring(channel, ChannelState.CONNECTING)
    with served.dial() as sock:
        sock.sendall(header(bytes=1) + b"x")
        await eventually(lambda: channel.in_use)
    await eventually(lambda: not served.server.clients)
    await served.bring(channel, ChannelState.READY)
    assert link_of(channel).sent == []
    assert not channel.in_use


async def test_half_a_block_is_not_sent(served: Served) -> None:
    with served.dial() as sock:
        sock.sendall(header(bytes=100) + b"a\nb\nc\n")
    await eventually(lambda: not served.server.clients)
    assert link_of(served.calls).sent == []


@pytest.mark.parametrize(
    "line",
    [b'{"bytes":-1}', b'{"bytes":1.5}', b'{"bytes":true}', b'{"bytes":"1"}', b"{}", b'{"bytes":0,"framing":"jpeg"}'],
)
async def test_a_block_that_is_none_is_refused(served: Served, line: bytes) -> None:
    answers = await served.exchange(header() + line + b"\n")
    assert [answer["ok"] for answer in answers] == [True, False]


async def test_a_block_over_the_limit_is_refused_before_it_is_read(served: Served) -> None:
    with pytest.raises(NotSent, match="more than 16 MiB"):
        await served.ask("send", {"channel": "calls", "bytes": BLOCK_LIMIT + 1})


@given(st.lists(st.binary().filter(lambda one: b"\n" not in one)))
def test_what_is_joined_by_lines_comes_apart_the_same(messages: list[bytes]) -> None:
    assert split_block(b"".join(one + b"\n" for one in messages), "line") == messages


def test_the_last_line_needs_no_end() -> None:
    assert split_block(b"a\nb", "line") == [b"a", b"b"]
    assert split_block(b"a\n\nb\n", "line") == [b"a", b"", b"b"]
    assert split_block(b"", "line") == []
    assert split_block(b"", "whole") == [b""]
