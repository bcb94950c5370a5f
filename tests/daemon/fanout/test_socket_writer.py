"""Whatever a client's socket or feed does, what woke it goes on."""

from __future__ import annotations

import socket

import pytest

from wscli.clock import SystemClock
from wscli.daemon.fanout.socket_writer import SocketWriter
from wscli.daemon.fanout.sources import HistorySource
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History


class BrokenBackpressure:
    def report_lag(self, reader: object, lag: float, moved_at: float) -> None:
        raise RuntimeError("a bug")

    def forget_reader(self, reader: object) -> None:
        pass


class Feed:
    """Ends with its first message; then its back-pressure breaks."""

    def __init__(self, history: History) -> None:
        self.sources = [HistorySource("news", history, history.seek_last(0), BrokenBackpressure())]  # type: ignore[arg-type]
        self.ended = False

    def take(self) -> list[bytes]:
        if self.ended or not self.sources[0].history.last:
            return []
        self.ended = True
        return [b"all"]


async def test_a_bug_behind_the_end_of_a_client_does_not_reach_who_appended(caplog: pytest.LogCaptureFixture) -> None:
    history = History(HistoryLimits(), clock=SystemClock())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        writer = SocketWriter(ours, Feed(history))
        history.append([b"x"], None)
        writer.wake()
        await writer.run()
        assert theirs.recv(10) == b"all"
        assert "a bug" in caplog.text
