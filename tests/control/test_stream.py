"""The client's side of a stream: what reaches the sink, how it ends, and the end of what a consumer says."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from wscli.control.frames import (
    ACK,
    CHANNEL,
    CONFIRMED,
    DATA,
    END,
    EPOCH,
    GAP,
    NOTICE,
    STATE,
    End,
    FrameError,
    end_body,
    header,
    json_body,
)
from wscli.control.output import Output
from wscli.control.stream import FrameSocket, Stream, StreamSink
from wscli.errors import ChannelUnavailable, NoInstance, OutcomeUnknown, TimedOut, WscliError

OK = End(0, "", None)


class Sink(StreamSink):
    """Notes what it is given, and has enough after so many messages."""

    def __init__(self, enough=None):
        self.got = []
        self.enough = enough

    def data(self, channel, body):
        self.got.append((channel, bytes(body)))
        return len(self.got) == self.enough

    def gap(self, record):
        self.got.append(record)
        return False

    def state(self, record):
        self.got.append(record)

    def notice(self, record):
        self.got.append(record)


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def ours(pair):
    return pair[0]


@pytest.fixture
def theirs(pair):
    return pair[1]


def frame(kind, seq, body):
    return header(kind, seq, len(body)) + body


OVER = frame(END, 0, end_body(0))


def test_frames_reach_the_sink_in_order_until_the_end(ours, theirs):
    sink = Sink()
    theirs.sendall(
        frame(DATA, 3, b"a\nb\nc\n")
        + frame(GAP, 3, json_body({"reason": "outage"}))
        + frame(STATE, 0, json_body({"state": "done"}))
        + frame(NOTICE, 4, json_body({"binary": 1}))
        + frame(END, 0, end_body(8, "gone", "start it"))
        + frame(DATA, 9, b"never seen\n")
    )
    stream = Stream(ours, sink, channel="n")
    assert stream.run() == End(8, "gone", "start it")
    assert sink.got == [("n", b"a\nb\nc\n"), {"reason": "outage"}, {"state": "done"}, {"binary": 1}]
    assert stream.cursors == {"n": 4}


def test_what_came_with_the_answer_comes_first(ours, theirs):
    sink = Sink()
    whole = frame(DATA, 1, b"a\n") + frame(DATA, 2, b"b\n") + OVER
    theirs.sendall(whole[20:])
    assert Stream(ours, sink, channel="n", rest=whole[:20]).run() == OK
    assert sink.got == [("n", b"a\n"), ("n", b"b\n")]


def test_channels_are_told_apart_and_each_has_its_cursor_and_its_epoch_where_that_changes(ours, theirs):
    sink = Sink()
    for name, seq, body in [("a", 5, b"1\n"), ("b/é", 2, b"2\n"), ("a", 6, b"3\n")]:
        theirs.sendall(frame(CHANNEL, 0, name.encode()) + frame(DATA, seq, body))
    theirs.sendall(frame(EPOCH, 0, b"k3f9") + frame(DATA, 7, b"4\n") + OVER)
    stream = Stream(ours, sink)
    assert stream.run() == OK
    assert sink.got == [("a", b"1\n"), ("b/é", b"2\n"), ("a", b"3\n"), ("a", b"4\n")]
    assert (stream.cursors, stream.epochs) == ({"a": 7, "b/é": 2}, {"a": "k3f9"})


def test_a_sink_that_has_enough_ends_it_well(ours, theirs):
    theirs.sendall(b"".join(frame(DATA, seq, b"x\n") for seq in range(1, 10)))
    sink = Sink(enough=3)
    assert Stream(ours, sink).run() == OK
    assert len(sink.got) == 3


def test_a_manager_that_is_gone_without_a_word_is_no_instance(ours, theirs):
    theirs.sendall(frame(DATA, 1, b"a\n")[:-1])
    theirs.close()
    sink = Sink()
    with pytest.raises(NoInstance):
        Stream(ours, sink).run()
    assert sink.got == []  # half a frame is not printed


def test_what_is_no_stream_is_refused(ours, theirs):
    theirs.sendall(b'{"ok": false, "error": {"code": 1}}\n')
    with pytest.raises(FrameError):
        Stream(ours, Sink()).run()


def test_a_message_restarts_the_idle_timeout_and_a_gap_does_not(ours, theirs):
    gap = frame(GAP, 0, json_body({"reason": "outage"}))
    coming = [gap, frame(DATA, 1, b"a\n"), gap, gap]
    now, sink = -4.0, Sink()

    def come(*got):
        """Four seconds for each: what comes next comes only now."""
        nonlocal now
        now += 4.0
        sink.got.append(got)
        if coming:
            theirs.sendall(coming.pop(0))
        return False

    sink.gap = sink.data = come
    come()
    with pytest.raises(TimedOut, match="no message came for 6 s") as caught:
        Stream(ours, sink, idle_timeout=6.0, clock=lambda: now).run()
    assert caught.value.exit_code == 124
    assert len(sink.got) == 5  # without the message in between, or with a restart by gaps, it were fewer or more


def test_a_pipe_that_nobody_reads_ends_it_well_though_nothing_comes(ours):
    reading, writing = os.pipe()
    output = Output(writing)
    thread = threading.Timer(0.05, os.close, [reading])
    thread.start()
    assert Stream(ours, Sink(), output=output).run() == OK
    thread.join()
    os.close(writing)


def test_a_closed_stdout_ends_it_well_while_writing(ours, theirs):
    reading, writing = os.pipe()
    os.close(reading)
    output, sink = Output(writing), Sink()
    sink.data = lambda channel, body: output.write(body)
    theirs.sendall(frame(DATA, 1, b"a\n"))
    assert Stream(ours, sink).run() == OK
    os.close(writing)


FAILED = frame(END, 0, end_body(8, "channel 'a' is failed"))
NOT_KEPT = frame(END, 0, end_body(1, "the position is not kept: the disk is full", "make room"))


@pytest.mark.parametrize("before", [b"", frame(DATA, 0, b"late\n"), OVER, FAILED])
def test_what_still_comes_before_the_confirmation_is_dropped_be_it_a_failure(ours, theirs, before):
    theirs.sendall(before + frame(CONFIRMED, 0, b""))
    frames = FrameSocket(ours)
    frames.acknowledge(17, 2)
    frames.confirm()
    assert theirs.recv(1 << 10) == ACK.pack(17, 2)
    assert theirs.recv(1 << 10) == b"", "nothing more is said"


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (b"", OutcomeUnknown, "was not confirmed"),
        (frame(DATA, 0, b"late\n") + OVER, OutcomeUnknown, "was not confirmed"),
        (FAILED + NOT_KEPT, WscliError, "the disk is full"),
        (FAILED, ChannelUnavailable, "is failed"),
        (None, OutcomeUnknown, "was not confirmed"),
    ],
)
def test_without_a_confirmation_the_managers_last_word_is_the_error(ours, theirs, said, kind, words):
    if said is not None:
        theirs.sendall(said)
        theirs.close()
    with pytest.raises(kind, match=words):
        FrameSocket(ours).confirm(within=5.0 if said is not None else 0.01)  # it says nothing, nor hangs up
