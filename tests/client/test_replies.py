"""A reply that is waited for: which message it is, and what is said where none comes."""

from __future__ import annotations

import pytest

from wscli.client.matching import Match
from wscli.client.messages import Gap, Message
from wscli.client.replies import PendingReply
from wscli.control.messages import SendReceipt
from wscli.errors import NoInstance


def awaited(match: Match = ".id == $ref") -> PendingReply:
    """Of a message that was handed over behind number 17, at 1000 s."""
    handed: SendReceipt = {"sent": 1, "ref": 7, "after": "k3f9:17"}
    return PendingReply(match, handed, channel="calls", called="reply", timeout=2.5, wall=lambda: 1000.0)


def message(seq: int, data: str | bytes, epoch: str = "k3f9") -> Message:
    return Message("calls", epoch, seq, 0.0, data)


def gap(reason: str, after: int = 17, end: float | None = None, missed: int | None = None) -> Gap:
    return Gap("calls", after, reason, None if end is None else end - 1, end, missed)


def test_the_reply_is_the_first_message_behind_it_that_matches() -> None:
    reply = awaited()
    assert not reply.is_reply(message(16, '{"id": 7}'))
    assert not reply.is_reply(message(17, '{"id": 7}'))
    assert not reply.is_reply(message(18, '{"id": 8}'))
    assert reply.is_reply(message(19, '{"id": 7}'))


def test_another_numbering_begins_behind_it() -> None:
    assert awaited().is_reply(message(1, '{"id": 7}', "other1"))


def test_a_function_sees_what_is_behind_it_alone() -> None:
    seen: list[int] = []

    def matches(one: Message) -> bool:
        seen.append(one.seq)
        return False

    reply = awaited(matches)
    for seq in (16, 17, 18):
        reply.is_reply(message(seq, b""))
    assert seen == [18]


@pytest.mark.parametrize(
    ("came", "hint"),
    [
        ([], "a longer timeout waits longer"),
        ([message(17, "before it")], "a longer timeout waits longer"),
        ([message(18, "no json")], "1 message came instead"),
        ([message(18, '{"id": 1}'), message(19, '{"id": "7"}')], "2 messages came instead"),
        (
            [message(18, "[1]")],
            '1 message came instead; the expression fails on some: Cannot index array with string ("id")',
        ),
        ([gap("outage", end=999.0)], "a longer timeout waits longer"),
        ([gap("outage", end=1001.0)], "the connection was lost meanwhile, and perhaps the answer with it"),
        (
            [gap("lagged", missed=3), message(21, "1 2"), gap("lagged", 21, missed=1)],
            "this reader fell behind and missed 4 messages; 1 message came instead",
        ),
    ],
)
def test_a_deadline_says_what_came_instead(came: list[Message | Gap], hint: str) -> None:
    reply = awaited()
    assert not any(map(reply.is_reply, came))
    error = reply.overdue()
    assert (error.message, error.hint, error.exit_code) == ("no reply on 'calls' within 2.5 s", hint, 124)


def test_an_end_before_the_reply_is_the_channels_or_leaves_the_outcome_unknown() -> None:
    assert (awaited().done().message, awaited().done().exit_code) == ("no reply on 'calls': the channel is done", 8)
    gone = awaited().gone(NoInstance("the manager was stopped", "`wscli up` starts it again"))
    assert (gone.message, gone.hint, gone.exit_code) == (
        "no reply on 'calls': the manager was stopped",
        "`wscli up` starts it again",
        9,
    )
