"""A reply that is waited for: which message it is, and what is said where none comes."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from wscli.client.messages import Gap, Message
from wscli.client.replies import Match, PendingReply, RawMatch, check_match, matcher
from wscli.control.messages import SendReceipt
from wscli.errors import NoInstance, UsageError


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


SHOWN = "`wscli tail calls --last {} --no-follow` shows what came instead"
LONGER = "a longer timeout waits longer"


@pytest.mark.parametrize(
    ("came", "told", "hint"),
    [
        ([], "", LONGER),
        ([message(17, "before it")], "", LONGER),
        ([message(18, "no json")], "; 1 message came instead", SHOWN.format(1)),
        ([message(18, '{"id": 1}'), message(19, '{"id": "7"}')], "; 2 messages came instead", SHOWN.format(2)),
        (
            [message(18, "[1]")],
            '; 1 message came instead; the expression fails on some: Cannot index array with string ("id")',
            SHOWN.format(1),
        ),
        ([gap("outage", end=999.0)], "", LONGER),
        ([gap("outage", end=1001.0)], "; the connection was lost meanwhile, and perhaps the answer with it", LONGER),
        (
            [gap("lagged", missed=3), message(21, "1 2"), gap("lagged", 21, missed=1)],
            "; this reader fell behind and missed 4 messages; 1 message came instead",
            SHOWN.format(1),
        ),
    ],
)
def test_a_deadline_says_what_came_instead_and_how_to_see_it(came: list[Message | Gap], told: str, hint: str) -> None:
    reply = awaited()
    assert not any(map(reply.is_reply, came))
    error = reply.overdue()
    assert (error.message, error.hint, error.exit_code) == (f"no reply on 'calls' within 2.5 s{told}", hint, 124)


def test_an_end_before_the_reply_is_the_channels_or_leaves_the_outcome_unknown() -> None:
    assert (awaited().done().message, awaited().done().exit_code) == ("no reply on 'calls': the channel is done", 8)
    gone = awaited().gone(NoInstance("the manager was stopped", "`wscli up` starts it again"))
    assert (gone.message, gone.hint, gone.exit_code) == (
        "no reply on 'calls': the manager was stopped",
        "`wscli up` starts it again",
        9,
    )


@pytest.mark.parametrize(
    ("expression", "data", "is_reply"),
    [
        (".id == 7", '{"id": 7}', True),
        (".id == 7", '{"id": 8}', False),
        ("select(.id == 7)", '{"id": 7}', True),
        ("select(.id == 7)", '{"id": 8}', False),
        (".[] | . == 2", "[1, 2]", True),
        (".id", '{"id": null}', False),
        (". == 2 # a comment", "2", True),
        ("halt", "2", False),
    ],
)
def test_an_expression_is_true_where_one_of_its_results_is(expression: str, data: str, is_reply: bool) -> None:
    assert matcher(expression)(message(1, data)) is is_reply


@pytest.mark.parametrize("data", ["plain", "", "NaN", "[" * 100_000, b'{"id": 7}', "[1]", '"text"', "7 7"])
def test_what_is_not_json_or_fails_in_the_expression_is_no_reply(data: str | bytes) -> None:
    assert matcher(".id == 7")(message(1, data)) is False


@pytest.mark.parametrize(
    ("expression", "hint"),
    [(".id ==", ""), ("nothing(", ""), ("", ""), (") | (true", ""), (".id == $ref", "; $ref is what {ref.int}")],
)
def test_a_bad_expression_is_a_usage_error_that_quotes_it(expression: str, hint: str) -> None:
    with pytest.raises(UsageError, match="does not compile") as caught:
        matcher(expression)
    assert f"it reads {expression!r}{hint}" in (caught.value.hint or "")


@pytest.mark.parametrize(("ref", "other"), [(7, 8), ("7", 7), ('"; 1', "x")])
def test_an_expression_knows_what_the_message_referred_to(ref: int | str, other: int | str) -> None:
    check_match(".id == $ref", refers=True)
    matches = matcher(".id == $ref", ref)
    assert matches(message(1, json.dumps({"id": ref})))
    assert not matches(message(1, json.dumps({"id": other})))
    assert not matches(message(1, "[]"))


def test_one_expression_serves_several_threads_at_once() -> None:
    matches = matcher(".id % 2 == 1")

    def count(offset: int) -> list[bool]:
        return [matches(message(1, f'{{"id": {number + offset}}}')) for number in range(200)]

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(count, range(4)))
    assert found == [[(number + offset) % 2 == 1 for number in range(200)] for offset in range(4)]


def test_a_function_is_taken_as_it_is() -> None:
    assert matcher(bool) is bool


@pytest.mark.parametrize(
    ("regex", "data", "is_reply"),
    [
        ("^PONG", "PONG 7", True),
        ("^PONG", "a PONG", False),
        ("PONG (\\d+)$", "PONG 7\n", True),
        ("^A.C$", b"A\xffC", True),
        ('"id":7', '{"id":7}', True),
        ("(?i)gr\u00dc", "gr\u00fc\u00dfe", True),
        ("^$", "", True),
        ("b{2}", "abb", True),
    ],
)
def test_a_regex_is_found_in_text_json_or_not(regex: str, data: str | bytes, is_reply: bool) -> None:
    assert matcher(RawMatch(regex))(message(1, data)) is is_reply


@pytest.mark.parametrize(
    ("regex", "ref", "data"),
    [
        ("^PONG {ref.int}$", 7, "PONG 7"),
        ("^{ref.str} {ref.str}$", "7", "7 7"),
        ("id={ref.uuid}$", "0f-1.2", "id=0f-1.2"),
        ("^{{ref.int} {ref.int}", 7, "{ref.int} 7"),
    ],
)
def test_a_reference_in_a_regex_is_the_one_that_was_sent_as_it_stands(regex: str, ref: int | str, data: str) -> None:
    matches = matcher(RawMatch(regex), ref)
    assert matches(message(1, data))
    assert not matches(message(1, data.replace("7", "8").replace(".", "x")))


def test_a_regex_that_is_invalid_or_refers_to_nothing_is_a_usage_error_that_quotes_it() -> None:
    with pytest.raises(UsageError, match=r"invalid regex: '\(a': end pattern with unmatched parenthesis"):
        check_match(RawMatch("(a"), refers=False)
    with pytest.raises(UsageError, match="has a reference, and the message has none"):
        check_match(RawMatch("{ref.int}"), refers=False)


def test_a_regex_that_backtracks_without_end_is_given_up_and_that_is_said() -> None:
    reply = awaited(RawMatch("(x+x+)+y"))
    assert not reply.is_reply(message(18, "x" * 40), time.monotonic() + 60)
    assert "1 message came instead; the regex fails on some: Regex failure: retry-limit" in reply.overdue().message
