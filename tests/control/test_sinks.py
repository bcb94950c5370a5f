"""What is printed, and what is told beside it."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.control.output import Output
from wscli.control.sinks import CopySink, gap_text, shown_json, shown_text

GAP = {
    "channel": "n",
    "type": "gap",
    "after": 18,
    "reason": "outage",
    "start": 1764000002.1,
    "end": 1764000009.0,
    "missed": None,
}


@pytest.fixture
def printed(tmp_path):
    """A sink's output, and how to see what was written."""
    path = tmp_path / "out"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    yield Output(fd), path.read_bytes
    os.close(fd)


def test_to_a_pipe_or_file_the_bytes_are_exact(printed):
    output, written = printed
    sink = CopySink(output, lambda text: None)
    assert sink.data("n", memoryview(b"\x1b[31m\xff\x00\r\n")) is False
    assert written() == b"\x1b[31m\xff\x00\r\n"


def test_to_a_terminal_control_characters_are_shown_but_for_separators(printed):
    output, written = printed
    sink = CopySink(output, lambda text: None, show=shown_text)
    sink.data("n", memoryview("a\tb\x1b[2J\u202e\x9b\x7f\r\n\0é".encode()))
    assert written().decode() == "a\tb\\x1b[2J\\u202e\\x9b\\x7f\\r\n\0é"


def test_bytes_that_are_no_text_are_shown_on_a_terminal():
    assert shown_text(memoryview(b"\xff\x9b\n")) == b"\\xff\\x9b\n"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_records_on_a_terminal_are_the_same_json_without_control_characters(text):
    line = json.dumps({"data": text}, ensure_ascii=False).encode() + b"\n"
    shown = shown_json(memoryview(line))
    assert json.loads(shown) == {"data": text}
    assert shown.endswith(b"\n")
    assert not any(one in shown.decode()[:-1] for one in "\n\x7f\x9b\u202e\u2066\u2028")


def test_a_gap_is_a_line_on_stderr_or_a_record_on_stdout(printed):
    output, written = printed
    told = []
    CopySink(output, told.append).gap(GAP)
    assert told == ["gap: n: not connected for 6.9 s; messages after 18 may be missing"]
    CopySink(output, told.append, records=True).gap(GAP)
    assert written() == (
        b'{"channel":"n","type":"gap","after":18,"reason":"outage",'
        b'"start":1764000002.1,"end":1764000009.0,"missed":null}\n'
    )
    assert len(told) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": "paused"}, "paused for 6.9 s; messages after 18 may be missing"),
        ({"reason": "outage", "start": None}, "not connected; messages after 18 may be missing"),
        ({"backfilled": 2}, "not connected for 6.9 s after 18; 2 missed messages were asked for, and follow"),
        (
            {"backfilled": 1, "reason": "paused"},
            "paused for 6.9 s after 18; 1 missed message was asked for, and follows",
        ),
        ({"backfilled": 0}, "not connected for 6.9 s after 18; the server was asked, and nothing was missed"),
        ({"reason": "lagged", "missed": 120}, "this reader fell behind and missed 120 messages after 18"),
        ({"reason": "truncated", "missed": 1}, "no longer kept: 1 message after 18"),
        ({"reason": "truncated"}, "no longer kept: messages up to 18"),
        ({"reason": "reset"}, "the cursor is of another numbering; messages between may be missing"),
        ({"reason": "skipped", "missed": 3}, "the server's numbers skipped 3 messages after 18"),
        ({"reason": "declared"}, "the server says that messages after 18 are missing"),
        ({"reason": "later", "missed": 3}, "later; may be missing: 3 messages after 18"),
    ],
)
def test_every_reason_has_its_words(changes, words):
    assert gap_text({**GAP, **changes}) == f"gap: n: {words}"


def test_binary_messages_are_told_of_at_once_then_once_a_second_and_at_the_end(printed):
    now, told = 100.0, []
    sink = CopySink(printed[0], told.append, clock=lambda: now)
    sink.notice({"channel": "n", "binary": 1, "bytes": 3})
    sink.notice({"channel": "n", "binary": 2, "bytes": 4})
    now += 1
    sink.notice({"channel": "n", "binary": 1, "bytes": 1})
    sink.notice({"channel": "n", "binary": 1, "bytes": 9})
    sink.close()
    sink.close()
    assert told == [
        "1 binary message not printed, 3 bytes; --json or -0 prints them",
        "3 binary messages not printed, 5 bytes; --json or -0 prints them",
        "1 binary message not printed, 9 bytes; --json or -0 prints them",
    ]


def test_a_channel_that_came_to_a_state_is_told_of(printed):
    told = []
    CopySink(printed[0], told.append).state({"channel": "n", "state": "done", "text": "done: closed with 1000"})
    assert told == ["n: done: closed with 1000"]
