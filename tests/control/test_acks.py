"""The end of what a consumer says: the position is confirmed, or the reader is told that it is not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from wscli.control.frames import ACK, CONFIRMED, DATA, END, FrameReader, end_body, header
from wscli.control.stream import Acks
from wscli.errors import ChannelUnavailable, OutcomeUnknown, WscliError


def frame(kind: int, body: bytes = b"") -> bytes:
    return header(kind, 0, len(body)) + body


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, managers = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, managers:
        yield ours, managers


FAILED = frame(END, end_body(8, "channel 'a' is failed"))
NOT_KEPT = frame(END, end_body(1, "the position is not kept: the disk is full", "make room"))


@pytest.mark.parametrize(
    "said", [frame(CONFIRMED), frame(DATA, b"late\n") + frame(CONFIRMED), frame(END, end_body(0)) + frame(CONFIRMED)]
)
def test_what_still_comes_before_the_confirmation_is_dropped(
    pair: tuple[socket.socket, socket.socket], said: bytes
) -> None:
    ours, managers = pair
    managers.sendall(said)
    acks = Acks(ours)
    acks.send(17, 2)
    acks.finish(FrameReader())
    assert managers.recv(1 << 10) == ACK.pack(17, 2)
    assert managers.recv(1 << 10) == b"", "nothing more is said"


def test_a_channel_that_fails_meanwhile_does_not_unmake_a_confirmation(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, managers = pair
    managers.sendall(FAILED + frame(CONFIRMED))
    Acks(ours).finish(FrameReader())


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (b"", OutcomeUnknown, "was not confirmed"),
        (frame(DATA, b"late\n") + frame(END, end_body(0)), OutcomeUnknown, "was not confirmed"),
        (FAILED + NOT_KEPT, WscliError, "the disk is full"),
        (FAILED, ChannelUnavailable, "is failed"),
    ],
)
def test_without_a_confirmation_the_managers_last_word_is_the_error(
    pair: tuple[socket.socket, socket.socket], said: bytes, kind: type[WscliError], words: str
) -> None:
    ours, managers = pair
    managers.sendall(said)
    managers.close()
    with pytest.raises(kind, match=words):
        Acks(ours).finish(FrameReader())


def test_a_manager_that_says_nothing_does_not_confirm(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wscli.control.stream.CONFIRMATION_DEADLINE", 0.01)
    with pytest.raises(OutcomeUnknown, match="was not confirmed"):
        Acks(pair[0]).finish(FrameReader())
