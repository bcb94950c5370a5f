"""The lines of the control socket."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.control.protocol import (
    LINE_LIMIT,
    PROTOCOL,
    AnswerReader,
    ProtocolError,
    check_version,
    decode_line,
    encode_line,
    failure,
    greeting,
    request_line,
    result_of,
    success,
)
from wscli.errors import ExitCode, UsageError, WscliError, error_for
from wscli.version import __version__


def test_a_line_is_one_line_whatever_its_text_holds() -> None:
    line = encode_line({"text": "a\nb\u2028\udcff"})
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_line(line) == {"text": "a\nb\u2028\udcff"}


def test_a_request_that_a_manager_would_not_read_is_not_sent() -> None:
    names = [f"a-channel-with-a-long-name-{number:05}" for number in range(60_000)]
    assert len(request_line("status", {"channels": names})) < LINE_LIMIT
    with pytest.raises(UsageError, match=f"too long: [0-9]+ bytes of at most {LINE_LIMIT}"):
        request_line("status", {"channels": names * 3})


@pytest.mark.parametrize("line", [b"", b"nonsense", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_line(line)


def test_the_same_protocol_passes_whatever_the_version() -> None:
    check_version({"v": PROTOCOL, "wscli": "99.0"}, "client")
    check_version(greeting(), "manager")


@pytest.mark.parametrize(
    ("number", "other", "way_out"),
    [
        (PROTOCOL + 1, "manager", "upgrade the wscli that this command comes from"),
        (PROTOCOL - 1, "manager", "`wscli down`, then `wscli up -d`"),
        (PROTOCOL + 1, "client", "`wscli down`, then `wscli up -d`"),
        (PROTOCOL - 1, "client", "upgrade the wscli that this command comes from"),
    ],
)
def test_another_protocol_names_both_versions_and_the_side_to_upgrade(number: int, other: str, way_out: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        check_version({"v": number, "wscli": "9.9.9"}, other)
    assert "9.9.9" in caught.value.message
    assert __version__ in caught.value.message
    assert way_out in str(caught.value.hint)


@pytest.mark.parametrize("number", [None, "1", 1.0, True, [1]])
def test_a_first_line_without_a_number_is_no_first_line(number: Any) -> None:
    with pytest.raises(ProtocolError, match="no protocol number"):
        check_version({"v": number}, "client")


@pytest.mark.parametrize("hint", ["look elsewhere", None])
@pytest.mark.parametrize("code", list(ExitCode))
def test_an_error_crosses_the_socket_with_its_class_its_words_and_its_hint(code: ExitCode, hint: str | None) -> None:
    error = error_for(code, "channel 'x' is not there", hint)
    with pytest.raises(type(error)) as caught:
        result_of(decode_line(encode_line(failure(error))))
    assert (caught.value.message, caught.value.hint) == (error.message, error.hint)


@pytest.mark.parametrize(
    "answer",
    [{}, {"ok": 1}, {"ok": True}, {"ok": True, "result": 7}, {"ok": False}, {"ok": False, "error": {"code": "6"}}],
)
def test_an_answer_that_is_none_is_an_error_and_no_crash(answer: dict[str, Any]) -> None:
    with pytest.raises(WscliError):
        result_of(answer)


@given(st.lists(st.integers(1, 30), max_size=20))
def test_answers_come_out_whole_however_they_are_cut_and_what_follows_is_kept(sizes: list[int]) -> None:
    stream = encode_line({**greeting(), **success({"a": 1})}) + encode_line(success({"a": 2})) + b"frames"
    answers, found = AnswerReader(), []
    for size in [*sizes, len(stream)]:
        answers.received(stream[:size])
        stream = stream[size:]
        while len(found) < 2 and (answer := answers.next_answer()) is not None:
            found.append(result_of(answer)["a"])
    assert found == [1, 2]
    assert answers.rest() == b"frames"


def test_an_answer_without_an_end_is_refused_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wscli.control.protocol.ANSWER_LIMIT", 1000)
    answers = AnswerReader()
    answers.received(b"x" * 1000)
    assert answers.next_answer() is None
    answers.received(b"x")
    with pytest.raises(ProtocolError, match="answer is over"):
        answers.next_answer()
