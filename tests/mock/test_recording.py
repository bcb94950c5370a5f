"""A file of records: checked whole, then read from any place, without being held in memory."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from tests.mock.recorded import gap, message, recorded, written
from wscli.errors import UsageError, WscliError
from wscli.mock import recording as module
from wscli.mock.recording import Recording, open_records
from wscli.mock.records import RecordedMessage


def payloads(recording: Recording, start: int = 0) -> list[bytes]:
    return [placed.record.payload for placed in recording.records(start) if isinstance(placed.record, RecordedMessage)]


def test_a_recording_has_the_messages_and_span_of_each_channel_and_its_gaps() -> None:
    records = [message(0), gap("paused", channel="calls"), message(5, channel="rooms/1"), message(2), message(1), gap()]
    with recorded(*records) as recording:
        found = {name: (played.messages, played.span) for name, played in recording.channels.items()}
        assert found == {"news": (3, 2.0), "calls": (0, 0.0), "rooms/1": (1, 0.0)}
        assert recording.gaps == {"paused": 1, "outage": 1}


def test_several_readers_start_at_the_places_of_any_records() -> None:
    with recorded(*(message(data=str(number)) for number in range(50))) as recording:
        places = [0, *(placed.end for placed in recording.records())]
        readers = [recording.records(place) for place in places]
        assert [next(reader).record for reader in readers[:-1]] == [placed.record for placed in recording.records()]
        assert next(readers[-1], None) is None
        assert payloads(recording, places[47]) == [b"47", b"48", b"49"]


def test_a_line_longer_than_the_buffer_is_read_whole() -> None:
    with recorded(message(data="x" * 300_000), message(data="y")) as recording:
        assert payloads(recording) == [b"x" * 300_000, b"y"]


def test_blank_lines_are_skipped() -> None:
    with recorded(text=b"\n" + written([message()]) + b"  \r\n\n" + written([message()])) as recording:
        assert payloads(recording) == [b"hello"] * 2


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", "f.ndjson holds no message"),
        (b"\n\n", "f.ndjson holds no message"),
        (written([gap()]), "f.ndjson holds no message"),
        (b"hello", "f.ndjson:1: 'hello' is not JSON"),
        (b'{"channel":"ne', 'f.ndjson:1: \'{"channel":"ne\' is not JSON'),
        (written([message()]) + b"\nhello\n", "f.ndjson:3: 'hello' is not JSON"),
        (
            written([message(), {"n": 1}]),
            "f.ndjson:2: '{\"n\": 1}' is not a record of `tail --json`: it has no 'channel'",
        ),
    ],
)
def test_an_invalid_recording_is_an_error_with_its_line_and_a_hint(text: bytes, error: str) -> None:
    with pytest.raises(WscliError) as caught:
        recorded(text=text)
    assert caught.value.message == error
    assert "wscli tail CHANNEL --json" in (caught.value.hint or "")


def test_a_line_without_end_is_refused_before_it_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_LINE", 1 << 20)
    with pytest.raises(WscliError, match=r"f.ndjson:1: a line of over 1 MiB is not a record"):
        recorded(text=b"x" * (1 << 21))


def test_the_torn_last_line_of_a_tail_that_was_killed_is_left_out() -> None:
    whole = written([message(data="1"), message(data="2")])
    with recorded(text=whole[:-30]) as recording:
        assert recording.torn
        assert payloads(recording) == [b"1"]
    with recorded(text=whole[:-1]) as recording:
        assert not recording.torn
        assert payloads(recording) == [b"1", b"2"]


def test_appended_lines_are_not_read_and_a_replaced_file_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "f.ndjson"
    path.write_bytes(written([message(data="1")]))
    with Recording(open_records(str(path)), "f.ndjson") as recording:
        recording.check()
        with path.open("ab") as file:
            file.write(written([message(data="2")]))
        assert payloads(recording) == [b"1"]
        path.unlink()
        path.write_bytes(b"something else")
        assert payloads(recording) == [b"1"]


@pytest.mark.parametrize("now", [b"", b"{", b"x" * 1000], ids=["empty", "cut", "overwritten"])
def test_a_file_that_is_changed_in_place_is_an_error(tmp_path: Path, now: bytes) -> None:
    path = tmp_path / "f.ndjson"
    path.write_bytes(written([message(), message()]))
    with Recording(open_records(str(path)), "f.ndjson") as recording:
        recording.check()
        path.write_bytes(now)
        with pytest.raises(WscliError, match=r"f.ndjson was changed while it was replayed"):
            payloads(recording)


def test_stdin_and_a_pipe_are_read_to_their_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(message(data=str(number)) for number in range(3))
    (tmp_path / "f.ndjson").write_bytes(text)
    with (tmp_path / "f.ndjson").open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with Recording(open_records("-"), "stdin") as recording:
            recording.check()
            assert payloads(recording) == [b"0", b"1", b"2"]
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writing = threading.Thread(target=fifo.write_bytes, args=(text,))
    writing.start()
    with Recording(open_records(str(fifo)), "fifo") as recording:
        writing.join()
        recording.check()
        assert payloads(recording) == payloads(recording) == [b"0", b"1", b"2"]


def test_a_file_that_cannot_be_opened_is_a_mistake_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, reason in ((tmp_path / "none", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(UsageError, match=f"cannot read '{path}': {reason}"):
            open_records(str(path))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="stdin is closed"):
        open_records("-")
